// What goes over the wire: a list of the posts that `fetch` sends, newest first.

const SECRETS = ['password', 'oldPassword', 'newPassword', 'confirmationCode', 'accessToken'];
const MASK = '••••••';

/** Show in the list whatever is posted; titles leave out the endpoint. */
export function logRequests({ list, reveal, endpoint }) {
  const entries = [];
  const masked = () => reveal.getAttribute('aria-pressed') === 'false';

  reveal.addEventListener('click', () => {
    reveal.setAttribute('aria-pressed', String(masked()));
    for (const entry of entries) draw(entry, masked());
  });

  const { fetch } = globalThis;
  globalThis.fetch = async (url, init) => {
    if (init?.method !== 'POST') return fetch(url, init);
    const { method, headers, body } = init;
    const title = `${method} ${url.replace(endpoint, '')}`;
    const entry = { title, url, headers, body, outcome: '…', view: view() };
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
      entry.outcome = 'no answer';
      throw error;
    } finally {
      draw(entry, masked());
    }
  };
}

function view() {
  const [item, details, summary, text] = ['li', 'details', 'summary', 'pre'].map((tag) =>
    document.createElement(tag),
  );
  details.open = true;
  details.append(summary, text);
  item.append(details);
  return { item, details, summary, text };
}

function draw({ view, title, url, headers, body, outcome, answer }, masked) {
  view.summary.textContent = `${title} → ${outcome}`;
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
