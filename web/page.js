// The page of the password service. It uses the service only through the client next to it.

import { element, make } from './elements.js';
import { openFlow } from './flow.js';
import { openInbox } from './inbox.js';
import { catalogue, findLanguage, label, say, sayRule, sayTime, speak } from './language.js';
import {
  AuthError,
  configure,
  confirmResetPassword,
  foldConfirmationCode,
  foldUsername,
  getPasswordPolicy,
  localize,
  resetPassword,
  updatePassword,
  validatePassword,
} from './password-service.js';
import { logRequests } from './request-log.js';

/** The card that a link asks for, which only a signed-in user can see. */
let wanted = '';

takeLink();
addEventListener('hashchange', () => takeLink() && !element('app').hidden && arrive());

const URN = 'urn:password-service:';
const CARDS = [...document.querySelectorAll('.card')];
const FOR_SIGNED_IN = ['account', 'update', 'first'];

/** Rules that only the service can check. */
const BY_SERVICE = ['usedBefore', 'breached'];

/** How a screen reader is told of a rule that is not met yet. */
const STATES = { pending: 'unmet' };

/** Rules whose error says more than the list of rules does. */
const TOLD_IN_FULL = ['containsUsername', ...BY_SERVICE];

/** Rules that one meets by typing on. The others look broken as soon as they are. */
const BY_TYPING = [
  'minLength',
  'requireLowercase',
  'requireUppercase',
  'requireNumbers',
  'requireSymbols',
];

/** How a password manager is told of a rule (`passwordrules`). */
const FOR_MANAGERS = {
  minLength: ({ minimum }) => `minlength: ${minimum}`,
  maxLength: ({ maximum }) => `maxlength: ${maximum}`,
  requireLowercase: () => 'required: lower',
  requireUppercase: () => 'required: upper',
  requireNumbers: () => 'required: digit',
  requireSymbols: () => 'required: [-!@#$%^&*]',
};

/** The pattern that a field must have before the page sends anything. */
const SHAPES = { username: /^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$/, confirmationCode: /^\d{6}$/ };

/** Wrong codes after which the page says that an hour may have to pass. */
const PATIENCE = 3;

/** Milliseconds between two looks at what happens, shortly after a request and otherwise. */
const [SOON, LATER] = [200, 1000];

/** Problems that a new sign-in solves. */
const SIGN_IN_AGAIN = [`${URN}not-signed-in`, `${URN}sign-in-too-old`];

/** How the service reads a field. It takes the others as they are. */
const FOLDS = { username: foldUsername, confirmationCode: foldConfirmationCode };

/** Seconds within which the service sends one code to a name: its setting `codePause`. */
const CODE_PAUSE = 60;

/** The field that a problem is about, if the service does not say which. */
const FIELDS = {
  __proto__: null, // so that no slug finds what every object has
  'code-mismatch': 'confirmationCode',
  'code-refused': 'confirmationCode',
  'code-expired': 'confirmationCode',
  'password-used-before': 'newPassword',
  'sign-in-refused': 'password',
  'user-not-found': 'username',
  'wrong-password': 'oldPassword',
};

/** Only in memory, because any script of the page can read a storage and send it away. */
let accessToken = '';

/** The user whose token it is. A link can bring the name of somebody else. */
let signedInAs = '';

/** Where the last code went, in the words of the service. */
let destination = '';

/** How often the service refused a code since one was sent. */
let wrongCodes = 0;

/** Until it has come, or if it does not come, only the service judges. */
let policy = { rules: [] };

/** The action of each form. It returns the next card. */
const ACTIONS = {
  async 'sign-in'({ username, password }) {
    accessToken = await signIn(username, password);
    signedInAs = username;
    const next = wanted || 'account';
    wanted = '';
    return next;
  },
  async request({ username }) {
    const { nextStep } = await resetPassword({ username, options: options() });
    destination = nextStep.codeDeliveryDetails.destination ?? username;
    wrongCodes = 0;
    wait(element('request'), CODE_PAUSE, username);
    return 'confirm';
  },
  async confirm({ username, confirmationCode, newPassword }) {
    await confirmResetPassword({ username, confirmationCode, newPassword, options: options() });
    accessToken = '';
    inbox.spend();
    return 'done';
  },
  async update({ oldPassword, newPassword, everywhere }) {
    const globalSignOut = everywhere === 'on';
    await updatePassword({ oldPassword, newPassword, options: { globalSignOut } });
    if (globalSignOut) accessToken = '';
    return 'done';
  },
  async first({ newPassword }) {
    await updatePassword({ newPassword });
    return 'done';
  },
};

const config = await (await fetch('/config.json')).json();
configure({ endpoint: config.endpoint, accessToken: () => accessToken });
for (const form of document.forms) {
  for (const input of form.querySelectorAll('input:not([type=checkbox])')) prepare(input);
  form.querySelector('[type=submit]').before(element('outcome').content.cloneNode(true));
  form.addEventListener('submit', submit);
  form.addEventListener('input', () => drawFields(form));
  form.addEventListener('focusout', () => drawFields(form));
}
element('brand').textContent = config.name;
await change(findLanguage());
const flow = openFlow({
  table: element('flow'),
  summary: element('flow-summary'),
  address: readUsername,
});
logRequests({ list: element('requests'), reveal: element('reveal'), endpoint: config.endpoint });
const inbox = openInbox({
  list: element('inbox'),
  empty: element('inbox-empty'),
  news: element('inbox-news'),
  latest: element('latest'),
  address: readUsername,
  use: takeCode,
});
element('demo-password').textContent = config.demoUsers[0].password;
for (const { username } of config.demoUsers) {
  const button = make('button', { type: 'button', className: 'quiet' }, username);
  button.addEventListener('click', () => become(username));
  element('demo-users').append(button);
}
element('restart').addEventListener('click', restart);
// Unless a link or a password manager has brought another one.
shareUsername(readUsername() || element('sign-in-username').value || config.demoUsers[0].username);
for (const button of document.querySelectorAll('[data-go]')) {
  button.addEventListener('click', () => go(button.dataset.go));
}
element('send-again').addEventListener('click', () => element('request').requestSubmit());
element('sign-out').addEventListener('click', () => {
  accessToken = '';
  go('sign-in');
});
element('language').addEventListener('change', async ({ target }) => {
  await change(target.value);
  draw();
  inbox.draw();
  flow.draw(news);
});
addEventListener('popstate', ({ state }) => show(state?.card));
element('app').hidden = false;
// After the page was loaded again, nobody knows any more what was done.
if (history.state?.card === 'done') history.replaceState(null, '');
if (element('confirm-code').value) arrive();
else show(history.state?.card);
readPolicy();
let news = { calls: [], mails: [] };
look();

/** Take the code that the link of a mail carries, and remove it from the address. */
function takeLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (link.has('change-password')) {
    wanted = 'update';
    history.replaceState({ card: wanted }, '', location.pathname + location.search);
  }
  if (!link.has('code')) return false;
  history.replaceState({ card: 'confirm' }, '', location.pathname + location.search);
  if (link.has('username')) shareUsername(link.get('username'));
  element('confirm-username').readOnly = link.has('username');
  element('confirm-code').value = link.get('code');
  return true;
}

/** Show where a link leads: its code needs only a new password. */
function arrive() {
  show('confirm');
  element('confirm-new-password').focus();
}

function takeCode(code) {
  if (element('confirm').hidden) go('confirm');
  element('confirm-code').value = code;
  drawFields(element('confirm'));
  element('confirm-new-password').focus();
}

/** Put an address into every form, so that it is typed once. */
function shareUsername(username) {
  for (const input of document.getElementsByName('username')) input.value = username;
}

function readUsername() {
  return read(element('confirm')).username;
}

/** Move on to a card, and its focus to the first empty field, or else to its heading. */
function go(card, { replace = false } = {}) {
  // The browser's Back button does not return to what is done.
  const replaces = replace || !element('done').hidden;
  history[replaces ? 'replaceState' : 'pushState']({ card }, '');
  const shown = show(card);
  const fields = [...shown.querySelectorAll('input:not([readonly], [type=checkbox])')];
  (fields.find(({ value }) => !value) ?? shown.querySelector('h2')).focus();
}

/** Show a card, and forget what was typed into the others, except the address. */
function show(card) {
  const isHidden = !card || (FOR_SIGNED_IN.includes(card) && !accessToken);
  const shown = element(isHidden ? 'sign-in' : card);
  for (const one of CARDS) one.hidden = one !== shown;
  for (const form of document.forms) {
    if (form === shown) continue;
    form.failure = undefined;
    form.waited = false;
    for (const input of form.querySelectorAll('input:not([name=username])')) {
      if (input.type === 'checkbox') input.checked = false;
      else input.value = '';
    }
  }
  document.body.dataset.card = shown.id;
  draw();
  return shown;
}

/** Add to a field a place for its errors, and to a password a button that shows it. */
function prepare(input) {
  const errors = make('ul', { id: `${input.id}-errors`, className: 'errors' });
  input.setAttribute('aria-describedby', errors.id);
  input.after(errors);
  if (input.name === 'username') input.addEventListener('input', () => retype(input));
  if (input.type !== 'password') return;
  if (input.name === 'newPassword') {
    const rules = make('ul', { id: `${input.id}-rules`, className: 'rules' });
    input.setAttribute('aria-describedby', `${errors.id} ${rules.id}`);
    errors.after(rules, make('p', { className: 'summary hidden', role: 'status' }));
  }
  const [label] = input.labels;
  label.id = `${input.id}-label`;
  const button = make('button', { id: `${input.id}-show`, type: 'button', className: 'quiet' });
  button.setAttribute('aria-labelledby', `${button.id} ${label.id}`);
  button.addEventListener('click', () => reveal(input, input.type === 'password'));
  const row = make('div', { className: 'secret' });
  input.replaceWith(row);
  row.append(input, button);
  reveal(input, false);
}

function reveal(input, visible) {
  input.type = visible ? 'text' : 'password';
  input.nextElementSibling.dataset.text = visible ? 'hide' : 'show';
  if (catalogue) label(input.nextElementSibling, visible ? 'hide' : 'show');
}

function retype({ value }) {
  shareUsername(value);
  inbox.draw();
  // The limit may be only for the former user.
  for (const form of document.forms) if (form.wait) tick(form);
}

/** Let another demo user try it. */
function become(username) {
  accessToken = '';
  retype({ value: username });
  if (element('request').hidden) go('sign-in');
}

async function submit(event) {
  event.preventDefault();
  const form = event.currentTarget;
  if (form.busy || form.wait) return;
  // Otherwise a browser may remember them among the texts that were typed.
  for (const { previousElementSibling: input } of form.querySelectorAll('.secret button')) {
    reveal(input, false);
  }
  const values = read(form);
  const mistakes = findMistakes(form, values);
  if (mistakes.length) {
    const type = `${URN}invalid-request`;
    fail(form, new AuthError({ type, name: '', message: '', errors: mistakes }), values);
    return;
  }
  Object.assign(form, { busy: true, failure: undefined, waited: false });
  drawForm(form);
  let next;
  try {
    next = await ACTIONS[form.id](values);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    fail(form, error, values);
  } finally {
    form.busy = false;
    drawStatus(form);
  }
  // The browser's Back button returns to the address, but not to what is done.
  if (next) go(next, { replace: next !== 'confirm' || !element('confirm').hidden });
}

/** The values as the service reads them. */
function read(form) {
  const entries = [...new FormData(form)];
  return Object.fromEntries(entries.map(([name, value]) => [name, FOLDS[name]?.(value) ?? value]));
}

/** Return the mistakes in a form before anything is sent, as the errors of the service say them. */
function findMistakes(form, values) {
  const inputs = [...form.querySelectorAll('input:not([readonly], [type=checkbox])')];
  return inputs.flatMap(({ name }) => {
    const mistake = (rule, params) => ({ pointer: `#/${name}`, rule, params, detail: '' });
    if (!values[name]) return mistake('required');
    if (SHAPES[name]?.test(values[name]) === false) return mistake('malformed');
    if (name !== 'newPassword') return [];
    const broken = validatePassword(policy, values[name], values);
    return broken.map(({ rule, params }) => mistake(rule, params));
  });
}

function fail(form, error, values) {
  if (SIGN_IN_AGAIN.includes(error.type)) {
    accessToken = '';
    go('sign-in', { replace: true });
    form = element('sign-in');
  }
  // The code was to be sent again.
  if (form.id === 'request' && !element('confirm').hidden) go('request');
  if (error.type === `${URN}code-refused`) wrongCodes += 1;
  form.failure = { error, values };
  if (error.retryAfter) wait(form, error.retryAfter, values.username);
  drawForm(form);
  form.querySelector('[aria-invalid]')?.focus();
  if (form.wait) form.querySelector('.problem').focus(); // its button is disabled
}

/** Say what a form failed with: `atFields` next to its fields, or else the whole of it. */
function explain(form) {
  if (!form.failure) return { atFields: [] };
  const { error } = form.failure;
  const { message, recoverySuggestion, errors = [], requestId } = localize(error, catalogue);
  const slug = error.type.slice(URN.length);
  const isOld = slug === 'code-refused' && wrongCodes >= PATIENCE;
  const isKnown = !isOld && Object.hasOwn(catalogue.page.problems, slug);
  const whole = isKnown
    ? { message: catalogue.page.problems[slug], advice: '' }
    : { message, advice: recoverySuggestion ?? '' };
  const about = { pointer: `#/${FIELDS[slug]}`, detail: `${whole.message} ${whole.advice}`.trim() };
  const all = errors.length || !FIELDS[slug] ? errors.map(sayMistake) : [about];
  const atFields = all.filter(({ pointer }) =>
    form.querySelector(`[name="${CSS.escape(pointer.slice('#/'.length))}"]:not([readonly])`),
  );
  if (all.length && atFields.length === all.length) return { atFields };
  const elsewhere = all.filter((one) => errors.length && !atFields.includes(one));
  return { atFields, whole: { ...whole, elsewhere, requestId } };
}

/** Return an error of a field in the words of its form, if they say more than its rule. */
function sayMistake(error) {
  const words = { required: catalogue.page.missing, malformed: catalogue.page.malformed };
  const detail = words[error.rule]?.[error.pointer.slice('#/'.length)];
  return detail ? { ...error, detail } : error;
}

/** Draw all that depends on the state or on the language. */
function draw() {
  for (const id of ['update-username', 'first-username']) element(id).value = signedInAs;
  for (const form of document.forms) drawForm(form);
  element('code-sent').textContent = destination && say('codeSent', { destination });
  element('signed-in-as').textContent = say('signedInAs', { username: signedInAs });
  element('done-text').textContent = say(accessToken ? 'stillSignedIn' : 'signedOut');
  element('done-next').textContent = say(accessToken ? 'continue' : 'signIn');
  element('done-next').dataset.go = accessToken ? 'account' : 'sign-in';
}

function drawForm(form) {
  const { whole } = explain(form);
  const problem = form.querySelector('.problem');
  problem.replaceChildren();
  if (whole) {
    problem.append(
      make('p', { className: 'message' }, whole.message),
      make('p', {}, whole.advice),
      make('ul', {}, ...whole.elsewhere.map(({ detail }) => make('li', {}, detail))),
    );
    if (whole.requestId) {
      problem.append(make('p', { className: 'origin' }, say('requestId', { id: whole.requestId })));
    }
  }
  drawFields(form);
  drawStatus(form);
}

/** Show the errors of the fields that still have the values that were refused. */
function drawFields(form) {
  const { atFields } = explain(form);
  const values = read(form);
  for (const input of form.querySelectorAll('[aria-describedby]')) {
    const refused = atFields.filter(
      ({ pointer }) =>
        pointer === `#/${input.name}` && values[input.name] === form.failure.values[input.name],
    );
    if (refused.length) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
    const inList = input.name === 'newPassword' ? drawRules(form, values, refused) : [];
    const details = refused.filter(({ rule }) => !inList.includes(rule));
    const errors = element(`${input.id}-errors`);
    errors.replaceChildren(...details.map(({ detail }) => make('li', {}, detail)));
  }
}

/** Show which rules a new password meets, and return those that need no other words. */
function drawRules(form, values, refused) {
  const { newPassword } = values;
  const isTyped = document.activeElement === form.elements.newPassword && !refused.length;
  const broken = newPassword ? validatePassword(policy, newPassword, values) : [];
  const unmet = new Set([...broken, ...refused].map(({ rule }) => rule));
  const known = policy.rules.filter(
    (one) => sayRule(one) && (one.rule !== 'sameAsOld' || form.elements.oldPassword),
  );
  const states = known.map(({ rule }) => {
    if (unmet.has(rule)) return isTyped && BY_TYPING.includes(rule) ? 'pending' : 'unmet';
    return newPassword && !BY_SERVICE.includes(rule) ? 'met' : 'unchecked';
  });
  const met = states.filter((state) => state === 'met').length;
  const total = met + states.filter((state) => state === 'unmet' || state === 'pending').length;
  const list = form.querySelector('.rules');
  // A list in which every rule is met would contradict the error.
  const isWrong = refused.length > 0 && met > 0 && met === total;
  list.replaceChildren(
    ...(isWrong ? [] : known).map((one, index) => {
      const state = states[index];
      const isLater = state === 'unchecked' && BY_SERVICE.includes(one.rule);
      const text = isLater ? `${sayRule(one)} ${say('later')}` : sayRule(one);
      const item = make('li', {}, make('span', { className: 'hidden' }, say(STATES[state] ?? state)), text);
      item.dataset.state = state;
      return item;
    }),
  );
  // Otherwise a screen reader would read the same text again with each letter.
  const isSummed = newPassword && !isWrong;
  setText(form.querySelector('.summary'), isSummed ? say('rulesMet', { met, total }) : '');
  return known.map(({ rule }) => rule).filter((rule) => !TOLD_IN_FULL.includes(rule));
}

/** Show that a form is busy, or how long it waits, on the card for the code as well. */
function drawStatus(form) {
  const { busy, wait: { end } = {}, waited } = form;
  const time = end && sayTime(new Date(end));
  const left = end && Math.max(0, Math.ceil((end - Date.now()) / 1000));
  const clock = end ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` : '';
  form.querySelector('[type=submit]').disabled = Boolean(end);
  form.querySelector('.countdown').textContent = clock;
  const button = form.querySelector('[type=submit]');
  button.setAttribute('aria-busy', String(Boolean(busy)));
  button.textContent = say(busy ? 'sending' : button.dataset.text);
  const status = form.querySelector('.status');
  if (end) setText(status, say('tryAt', { time }));
  else setText(status, waited ? say('tryNow') : '');
  if (form.id !== 'request') return;
  element('send-again').disabled = Boolean(end);
  element('send-again-in').textContent = clock;
  setText(element('send-again-status'), end ? say('sendAgainAt', { time }) : '');
}

/** Change a text that a screen reader reads whenever it is set. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function wait(form, seconds, username) {
  const timer = setInterval(() => tick(form), 1000);
  form.wait = { end: Date.now() + 1000 * seconds, username, timer };
  tick(form);
}

function tick(form) {
  const { end, username, timer } = form.wait;
  const isOver = Date.now() >= end;
  if (isOver || read(form).username !== username) {
    clearInterval(timer);
    form.wait = undefined;
    form.waited = isOver;
  }
  drawStatus(form);
}

/** Have mails in the language of the page. */
function options() {
  return { clientMetadata: { locale: document.documentElement.lang } };
}

/** Change the language. */
async function change(language) {
  await speak(language);
  document.title = say('title', { name: config.name });
}

/** Look at what has happened, as long as the page is open. */
async function look() {
  let pause = LATER;
  try {
    const response = await fetch('/local/news');
    if (!response.ok) throw new Error(`${response.status}`);
    news = await response.json();
    inbox.take(news.mails);
    flow.draw(news);
    const latest = news.calls.at(-1)?.time ?? 0;
    if (Date.now() / 1000 - latest < 10) pause = SOON;
    setText(element('gone'), '');
  } catch {
    setText(element('gone'), say('gone'));
  }
  setTimeout(look, pause);
}

/** Give the demo users their first passwords, and forget what was counted and mailed. */
async function restart() {
  const headers = { 'Content-Type': 'application/json' };
  await fetch('/local/restart', { method: 'POST', headers, body: '{}' });
  history.replaceState(null, '');
  location.reload();
}

/** Sign in by the runner. In an application, Amplify does this. */
async function signIn(username, password) {
  let response, document;
  try {
    response = await fetch('/local/sign-in', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
    document = await response.json();
  } catch (underlyingError) {
    const message = 'A network error has occurred.';
    throw new AuthError({ type: `${URN}network-error`, name: 'NetworkError', message, underlyingError });
  }
  if (response.ok) return document.accessToken;
  throw new AuthError({ ...document, name: document.code, status: response.status });
}

async function readPolicy() {
  try {
    policy = await getPasswordPolicy();
    const rules = policy.rules.flatMap(({ rule, params }) => FOR_MANAGERS[rule]?.(params) ?? []);
    for (const input of document.getElementsByName('newPassword')) {
      input.setAttribute('passwordrules', rules.map((one) => `${one};`).join(' '));
    }
    for (const form of document.forms) drawFields(form);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
  }
}
