// The mails that the runner caught: the last few to one address, newest first.

import { make } from './elements.js';
import { say, sayTime } from './language.js';

/** Mails that are shown. */
const MOST = 3;

/**
 * Show mails in `list`, and the latest code in `latest` too. `address` returns whose mails to show,
 * and `use` takes the code that the user chose.
 */
export function openInbox({ list, empty, news, latest, address, use }) {
  let mails = [];
  let drawn;
  const used = new Set();

  /** Draw what has changed: a list that is drawn again loses the focus of its buttons. */
  function draw() {
    const wanted = mails.filter(({ to }) => to.toLowerCase() === address().toLowerCase());
    const newest = wanted.at(-1);
    // A newer code replaces an older one, and a mail about a change says that the code was used.
    const usable = newest?.code && !used.has(newest.id) ? newest : undefined;
    const drawing = JSON.stringify([wanted, usable, document.documentElement.lang]);
    if (drawing === drawn) return;
    drawn = drawing;
    const shown = wanted.slice(-MOST).reverse();
    list.replaceChildren(...shown.map((mail) => drawMail(mail, mail === usable)));
    empty.hidden = wanted.length > 0;
    latest.hidden = !usable;
    latest.replaceChildren(
      ...(usable ? [make('span', {}, say('latestCode')), ...drawCode(usable, true)] : []),
    );
    // A screen reader reads this, and not the whole list again.
    if (newest && news.dataset.mail !== newest.id) news.textContent = newest.subject;
    news.dataset.mail = newest?.id ?? '';
  }

  function drawMail(mail, isUsable) {
    const time = new Date(1000 * mail.time);
    const content = mail.code
      ? [make('div', { className: 'code' }, ...drawCode(mail, isUsable))]
      : mail.text.trim().split(/\n{2,}/).map((part) => make('p', {}, part));
    return make(
      'li',
      {},
      make('time', { dateTime: time.toISOString() }, sayTime(time)),
      make('h3', {}, mail.subject),
      ...content,
    );
  }

  function drawCode({ code }, isUsable) {
    const button = make('button', { type: 'button', className: 'quiet' }, say('useCode'));
    button.disabled = !isUsable;
    button.addEventListener('click', () => use(code));
    const state = isUsable ? [] : [make('span', { className: 'state' }, say('codeSpent'))];
    return [make('code', {}, code), button, ...state];
  }

  return {
    draw,
    /** Take every mail so far. */
    take(every) {
      mails = every;
      draw();
    },
    /** Mark every code so far as used. */
    spend() {
      for (const { id } of mails) used.add(id);
      draw();
    },
  };
}
