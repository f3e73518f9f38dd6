// A list of the posts that `fetch` sends, newest first.

import { make } from './elements.js';
import { label, sayTime } from './language.js';

const SECRETS = ['password', 'oldPassword', 'newPassword', 'confirmationCode', 'accessToken'];
const MASK = '••••••';

/** Posts of the runner's own, which an application does not have. */
const UNSEEN = ['/local/restart'];

/** Show in the list whatever is posted; titles leave out the endpoint. */
export function logRequests({ list, reveal, endpoint }) {
  const entries = [];
  const masked = () => reveal.dataset.text === 'showSecrets';

  reveal.addEventListener('click', () => {
    label(reveal, masked() ? 'hideSecrets' : 'showSecrets');
    for (const entry of entries) draw(entry, masked());
  });

  const { fetch } = globalThis;
  globalThis.fetch = async (url, init) => {
    if (init?.method !== 'POST' || UNSEEN.includes(url)) return fetch(url, init);
    const { headers, body } = init;
    const entry = { url, headers, body, view: view(`POST ${url.replace(endpoint, '')}`) };
    for (const { view: earlier } of entries) earlier.details.open = false;
    entries.push(entry);
    list.prepend(entry.view.item);
    draw(entry, masked());
    try {
      const response = await fetch(url, init);
      entry.outcome = `${response.status}`;
      entry.answer = { headers: Object.fromEntries(response.headers), body: '' };
      // The page reads the same body, and hears of what goes wrong with it.
      entry.answer.body = await response.clone().text().catch(() => '');
      return response;
    } catch (error) {
      entry.outcome = 'no response';
      throw error;
    } finally {
      draw(entry, masked());
    }
  };
}

function view(title) {
  const outcome = make('span', { className: 'outcome' });
  const text = make('pre', {});
  const now = new Date();
  const time = make('time', { dateTime: now.toISOString() }, sayTime(now));
  const summary = make('summary', {}, make('span', {}, title), ' ', outcome, ' ', time);
  const details = make('details', { open: true }, summary, text);
  return { item: make('li', {}, details), details, outcome, text };
}

function draw({ view, url, headers, body, outcome = '…', answer }, masked) {
  view.outcome.textContent = outcome;
  view.outcome.dataset.good = /^(2..|…)$/.test(outcome);
  const request = [url, ...message({ headers, body }, masked)];
  const response = answer ? ['', outcome, ...message(answer, masked)] : [];
  view.text.textContent = [...request, ...response].join('\n');
}

function message({ headers, body }, masked) {
  const lines = Object.entries(headers).map(([name, value]) =>
    masked && name === 'Authorization' ? `${name}: Bearer ${MASK}` : `${name}: ${value}`,
  );
  return body ? [...lines, '', readable(body, masked)] : lines;
}

function readable(body, masked) {
  const mask = (name, value) => (masked && SECRETS.includes(name) && value ? MASK : value);
  try {
    return JSON.stringify(JSON.parse(body), mask, 2);
  } catch {
    return body; // a proxy's page
  }
}
