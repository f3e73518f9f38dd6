// The flow of what is known: the latest request and the calls that followed it, as the emulator saw them.

import { make } from './elements.js';
import { label, say, sayDuration } from './language.js';

/** The parts of the service, in the order in which a request reaches them. */
const PARTS = [
  'browser',
  'gateway',
  'function',
  'table',
  'breaches',
  'queue',
  'worker',
  'cognito',
  'mailbox',
];
const SECRETS = ['address', 'code', 'password', 'token'];

/** Parts by the names that the emulator's door gives to what is called. */
const CALLED = {
  breaches: 'breaches',
  cognito: 'cognito',
  mail: 'mailbox',
  queue: 'queue',
  table: 'table',
};

/**
 * Show in the table what each part was sent, and in the summary how the request was answered.
 * `address` returns whose mails belong to it.
 */
export function openFlow({ table, summary, address }) {
  const rows = new Map(PARTS.map((part) => [part, makeRow(part)]));
  const names = SECRETS.map((secret) => named(make('th', { scope: 'col' }), 'secrets', secret));
  table.append(
    make('thead', {}, make('tr', {}, make('td', {}), ...names)),
    make('tbody', {}, ...[...rows.values()].map(({ row }) => row)),
  );
  const opened = Date.now() / 1000;
  let drawn;

  return {
    draw({ calls, mails }) {
      const own = calls.filter(({ time }) => time > opened);
      const theirs = mails.filter(({ to }) => to.toLowerCase() === address().toLowerCase());
      const story = tell(own, theirs);
      const drawing = JSON.stringify([story, document.documentElement.lang]);
      if (drawing === drawn) return;
      drawn = drawing;
      for (const [part, row] of rows) drawRow(part, row, story?.parts[part], story?.answered);
      summary.textContent = summarize(story);
    },
  };
}

function makeRow(part) {
  const [time, did] = ['time', 'did'].map((className) => make('span', { className }));
  const cells = SECRETS.map(() => make('td', {}));
  const name = named(make('span', {}), 'parts', part);
  const head = make('th', { scope: 'row' }, make('span', {}, name, ' ', time), did);
  const row = make('tr', {}, head, ...cells);
  row.dataset.part = part;
  return { row, time, did, cells };
}

/** Give an element words of a group of the catalogue. */
function named(element, group, name) {
  label(element, `${group}.${name}`);
  return element;
}

function drawRow(part, { row, time, did, cells }, seen, answered) {
  row.dataset.reached = Boolean(seen);
  row.dataset.late = Boolean(seen && answered !== undefined && seen.after > answered);
  time.textContent = seen?.after ? `+${sayDuration(seen.after)}` : '';
  const calls = seen?.calls.join(' · ');
  // Where a long name may be broken
  const breakable = calls?.replace(/(?<=[a-z])(?=[A-Z])|(?<=[_/])/g, '\u200b');
  did.textContent = breakable || say(`roles.${part}`);
  did.dataset.calls = Boolean(calls);
  SECRETS.forEach((secret, index) => {
    const isSent = Boolean(seen?.sent.includes(secret));
    const word = seen ? say(isSent ? 'yes' : 'no') : '';
    cells[index].dataset.sent = isSent;
    cells[index].replaceChildren(make('span', { className: 'hidden' }, word));
  });
}

/** Return what the latest request and the calls that followed it sent to which part, and when. */
function tell(calls, mails) {
  const first = calls.findLastIndex(({ at }) => at === 'gateway');
  if (first < 0) return undefined;
  const { time, action, has, status, seconds: answered } = calls[first];
  const operation = action.replace('POST /', '').replaceAll('-', '_');
  const followed = calls
    .slice(first + 1)
    .filter(({ by }) => [operation, 'worker', ''].includes(by))
    .map((call) => ({ ...call, after: call.time - time }));
  const parts = {};
  const reach = (part, sent, after, made = []) => {
    const known = (parts[part] ??= { sent: [], calls: [], after });
    known.sent = [...new Set([...known.sent, ...sent])];
    known.calls.push(...made);
  };
  reach('browser', has, 0, [action]);
  reach('gateway', has, 0, status ? [`${status}`] : []);
  const own = followed.find(({ by }) => by === operation);
  // Only the function refuses a request with 400. The gateway refuses tokens without asking it.
  const got = followed.filter(({ by }) => by !== 'worker').flatMap((call) => call.got ?? []);
  if (own || status === 400) reach('function', [...has, ...got], own?.after, [operation]);
  for (const [at, group] of Object.entries(Object.groupBy(followed, ({ at }) => at))) {
    if (!CALLED[at]) continue;
    const counts = Object.entries(Object.groupBy(group, ({ action }) => action));
    const made = counts.map(([name, all]) => (all.length > 1 ? `${name} ×${all.length}` : name));
    reach(CALLED[at], group.flatMap((call) => call.has), group[0].after, made);
  }
  const byWorker = followed.find(({ by }) => by === 'worker');
  // A worker gets the message as it was queued.
  if (byWorker) reach('worker', parts.queue?.sent ?? [], byWorker.after);
  for (const mail of mails.filter((one) => one.time >= time)) {
    // Cognito makes codes, and mails them itself.
    if (mail.code) reach('cognito', ['code'], mail.time - time);
    reach('mailbox', mail.code ? ['address', 'code'] : ['address'], mail.time - time);
  }
  const asked = followed.filter(({ at, has }) => at === 'cognito' && has.includes('address'));
  const isApart = byWorker && asked.length > 0 && asked.every(({ by }) => by !== operation);
  return { action, status, answered, parts, isApart };
}

function summarize(story) {
  if (!story?.status) return say('flowEmpty');
  const { action, status, answered, isApart } = story;
  const told = say('flowAnswered', { request: action, status, answer: sayDuration(answered) });
  return isApart && action === 'POST /reset-password' ? `${told} ${say('flowApart')}` : told;
}
