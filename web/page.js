// The page of the password service. It uses the service only through the client beside it.

import {
  AuthError,
  configure,
  confirmResetPassword,
  getPasswordPolicy,
  localize,
  resetPassword,
  updatePassword,
  validatePassword,
} from './password-service.js';
import { logRequests } from './request-log.js';

takeLink();
addEventListener('hashchange', takeLink);

/** There is a catalogue of each. */
const LANGUAGES = ['en', 'de', 'es', 'fr', 'ja', 'pt'];

/** The user's first language that has a catalogue, in any of its regions. */
const language =
  navigator.languages.map((tag) => tag.split('-')[0]).find((one) => LANGUAGES.includes(one)) ?? 'en';

const [config, catalogue] = await Promise.all(
  ['/config.json', `/languages/${language}.json`].map(async (path) => (await fetch(path)).json()),
);

/** What a rule asks for. One without a text is shown only after the service has refused it. */
const RULES = {
  minLength: ({ minimum }) => `At least ${minimum} characters`,
  requireLowercase: () => 'A lowercase letter (a to z)',
  requireUppercase: () => 'An uppercase letter (A to Z)',
  requireNumbers: () => 'A digit',
  requireSymbols: () => 'A special character, such as a hyphen',
  edgeSpace: () => 'No space at the beginning or end',
  containsUsername: () => 'Does not contain your username',
  sameAsOld: () => 'Differs from the current password',
  forbiddenWord: ({ words }) => `Does not contain ${words.join(' or ')}`,
  usedBefore: ({ size }) => `Not among your last ${size} passwords (checked when you submit)`,
  breached: () => 'Not found in known data breaches (checked when you submit)',
};
const BY_SERVICE = ['usedBefore', 'breached'];

/** Only in memory, because any script of the page can read a storage and send it away. */
let session = { username: '', accessToken: '' };

/** Until it has come, or if it does not come, only the service judges. */
let policy = { rules: [] };

/** What each form does. It returns a message and the field that is needed next. */
const ACTIONS = {
  async request({ username }) {
    const { nextStep } = await resetPassword({ username });
    const { destination = 'the address of the account' } = nextStep.codeDeliveryDetails;
    return [`If there is an account, a code is on its way to ${destination}.`, 'confirm-code'];
  },
  async confirm({ username, confirmationCode, newPassword }) {
    await confirmResetPassword({ username, confirmationCode, newPassword });
    enter('', '');
    return ['The password is set, and every session has ended.', 'sign-in-password'];
  },
  async 'sign-in'({ username, password }) {
    const accessToken = await signIn(username, password);
    enter(username, accessToken);
    return [`You are signed in as ${username}.`, 'update-old-password'];
  },
  async update({ oldPassword, newPassword, everywhere }) {
    const globalSignOut = everywhere === 'on';
    await updatePassword({ oldPassword, newPassword, options: { globalSignOut } });
    if (!globalSignOut) return ['The password is changed.', 'update-old-password'];
    enter('', '');
    return ['The password is changed, and every session has ended.', 'sign-in-password'];
  },
};

configure({ endpoint: config.endpoint, accessToken: () => session.accessToken });
logRequests({
  list: element('requests'),
  reveal: element('reveal'),
  endpoint: config.endpoint,
});
for (const form of document.forms) {
  for (const input of form.querySelectorAll('input:not([type=checkbox])')) prepare(input);
  form.append(element('outcome').content.cloneNode(true));
  // Not of the whole page, whose own words are English.
  form.querySelector('.problem').lang = language;
  form.addEventListener('submit', submit);
  form.addEventListener('input', ({ target }) => {
    target.removeAttribute('aria-invalid');
    showRules(form);
  });
  showRules(form);
}
for (const input of document.getElementsByName('username')) {
  input.value ||= config.demoUser.username; // which a password manager may have filled
  input.addEventListener('input', () => {
    for (const other of document.getElementsByName('username')) other.value = input.value;
    showMails();
  });
}
element('demo-username').textContent = config.demoUser.username;
element('demo-password').textContent = config.demoUser.password;

let mails = [];
readMails();
readPolicy();

/** Fill in the code that the link of a mail carries, and remove it from the address. */
function takeLink() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (!link.has('code')) return;
  history.replaceState(null, '', location.pathname + location.search);
  element('confirm-code').value = link.get('code');
  for (const input of document.getElementsByName('username')) input.value = link.get('username');
  element('confirm-code').focus();
}

/** Add to a field a place for its errors, and to a password a button that shows it. */
function prepare(input) {
  const errors = make('ul', { id: `${input.id}-errors` });
  input.setAttribute('aria-describedby', errors.id);
  input.after(errors);
  if (input.type !== 'password') return;
  if (input.name === 'newPassword') {
    errors.className = 'rules';
    errors.after(make('p', { className: 'summary hidden', role: 'status' }));
  }
  const label = input.labels[0].textContent.toLowerCase();
  const button = make('button', { type: 'button', className: 'quiet', textContent: 'Show' });
  button.setAttribute('aria-label', `Show ${label}`);
  button.addEventListener('click', () => show(input, input.type === 'password'));
  const row = make('div', { className: 'secret' });
  input.replaceWith(row);
  row.append(input, button);
  show(input, false);
}

function show(input, visible) {
  input.type = visible ? 'text' : 'password';
  input.nextElementSibling.setAttribute('aria-pressed', String(visible));
}

async function submit(event) {
  event.preventDefault();
  const form = event.currentTarget;
  if (form.dataset.busy) return;
  // Otherwise a browser may remember them among the texts that were typed.
  for (const { previousElementSibling: input } of form.querySelectorAll('.secret button')) {
    show(input, false);
  }
  clear(form);
  form.dataset.busy = 'true';
  form.querySelector('.status').textContent = 'Sending …';
  const values = read(form);
  try {
    const [message, next] = await ACTIONS[form.id](values);
    succeed(form, message, next);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    fail(form, error, values);
  } finally {
    delete form.dataset.busy;
  }
}

/** The values as the service wants them: only passwords may have spaces. */
function read(form) {
  const values = [...new FormData(form)].map(([name, value]) => [
    name,
    /password$/i.test(name) ? value : value.replace(/\s/g, ''),
  ]);
  return Object.fromEntries(values);
}

function clear(form) {
  form.querySelector('.problem').replaceChildren();
  form.querySelector('.countdown').textContent = '';
  delete form.refused;
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  for (const errors of form.querySelectorAll('ul[id$=-errors]:not(.rules)')) {
    errors.replaceChildren();
  }
  showRules(form);
}

function succeed(form, message, next) {
  for (const input of form.querySelectorAll('.secret input, [name=confirmationCode]')) {
    input.value = '';
  }
  showRules(form);
  form.querySelector('.status').textContent = message;
  element(next).focus();
}

function fail(form, error, { username, newPassword }) {
  const { type, name, message, recoverySuggestion, status, errors = [], requestId, retryAfter } =
    localize(error, catalogue);
  if (type === 'urn:password-service:not-signed-in') enter('', '');
  form.refused = { newPassword, errors };
  const elsewhere = errors.filter((one) => !place(form, one));
  showRules(form);
  const advice = new Set([recoverySuggestion]);
  // The service did not respond itself, so it may have set the password.
  if (newPassword && !error.recoverySuggestion) {
    advice.add(catalogue.problems['outcome-unknown'].recoverySuggestion);
  }
  const problem = form.querySelector('.problem');
  problem.append(
    make('p', { className: 'message', textContent: message }),
    make('p', { textContent: [...advice].join(' ') }),
    make('ul', {}, ...elsewhere.map(({ detail }) => make('li', { textContent: detail }))),
    make('p', {
      className: 'origin',
      textContent: [name, status, requestId].filter(Boolean).join(' · '),
    }),
  );
  form.querySelector('.status').textContent = '';
  form.querySelector('[aria-invalid]')?.focus();
  if (retryAfter) {
    countDown(form, retryAfter, username);
    problem.focus();
  }
}

/** Show an error beside the field that its `pointer` names. */
function place(form, { pointer, detail }) {
  const input = form.elements.namedItem(pointer.slice('#/'.length));
  if (!input) return false;
  input.setAttribute('aria-invalid', 'true');
  const errors = element(input.getAttribute('aria-describedby'));
  if (errors.className !== 'rules') {
    errors.append(make('li', { textContent: detail, lang: language }));
  }
  return true;
}

/** Show whether the new password meets each rule. The service's verdict comes first. */
function showRules(form) {
  const list = form.querySelector('.rules');
  if (!list) return;
  const values = Object.fromEntries(new FormData(form));
  const { newPassword } = values;
  const refused = form.refused?.newPassword === newPassword ? form.refused.errors : [];
  const broken = refused.filter(({ pointer }) => pointer === '#/newPassword');
  const unmetHere = newPassword ? validatePassword(policy, newPassword, values) : [];
  const known = policy.rules.filter(
    ({ rule }) => rule in RULES && (rule !== 'sameAsOld' || form.elements.oldPassword),
  );
  const states = known.map(({ rule, params }) => {
    const judged = newPassword && !BY_SERVICE.includes(rule) ? 'Met' : 'Not known yet';
    const unmet = [...unmetHere, ...broken].some((one) => one.rule === rule);
    return [RULES[rule](params), unmet ? 'Not met' : judged];
  });
  const others = broken.filter(({ rule }) => !known.some((one) => one.rule === rule));
  states.push(...others.map(({ detail }) => [detail, 'Not met']));
  const unmet = states.filter(([, state]) => state === 'Not met').length;
  const summary = newPassword && `${unmet || 'No'} ${unmet === 1 ? 'rule is' : 'rules are'} not met.`;
  // Otherwise a screen reader would read the same text again with each letter.
  const said = form.querySelector('.summary');
  if (said.textContent !== summary) said.textContent = summary;
  list.replaceChildren(
    ...states.map(([text, state]) => {
      const hidden = make('span', { className: 'hidden', textContent: `${state}: ` });
      const item = make('li', {}, hidden, text);
      item.dataset.state = state;
      return item;
    }),
  );
}

function countDown(form, seconds, username) {
  const button = form.querySelector('[type=submit]');
  const [timer, status] = form.querySelectorAll('.countdown, .status');
  const end = Date.now() + 1000 * seconds;
  button.disabled = true;
  // Announced once: a screen reader should not read each second.
  status.textContent = `You can try again at ${new Date(end).toLocaleTimeString()}.`;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
    // The limit may be for this user alone, so another user may try.
    if (left && read(form).username === username) return;
    clearInterval(interval);
    button.disabled = false;
    timer.textContent = '';
    status.textContent = left ? '' : 'You can try again now.';
  };
  const interval = setInterval(tick, 1000);
  tick();
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
    const type = 'urn:password-service:network-error';
    throw new AuthError({ type, name: 'NetworkError', message, underlyingError });
  }
  if (response.ok) return document.accessToken;
  throw new AuthError({ ...document, name: document.code, status: response.status });
}

function enter(username, accessToken) {
  session = { username, accessToken };
  element('update-username').value = username;
}

async function readPolicy() {
  try {
    policy = await getPasswordPolicy();
    for (const form of document.forms) showRules(form);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
  }
}

async function readMails() {
  try {
    const response = await fetch('/local/inbox');
    if (response.ok) mails = await response.json();
    showMails();
  } catch {
    // The runner has stopped or is restarting.
  }
  setTimeout(readMails, 1000);
}

/** Show the newest first. Add only new mails, because a screen reader reads what is added. */
function showMails() {
  const username = element('request-username').value.trim().toLowerCase();
  const wanted = mails.filter(({ to }) => to.toLowerCase() === username);
  const list = element('inbox');
  for (const item of [...list.children]) {
    if (!wanted.some(({ id }) => id === item.dataset.mail)) item.remove();
  }
  const shown = [...list.children].map((item) => item.dataset.mail);
  for (const mail of wanted) if (!shown.includes(mail.id)) list.prepend(drawMail(mail));
  element('inbox-empty').hidden = wanted.length > 0;
}

function drawMail({ id, subject, code }) {
  const item = make('li', {}, subject);
  item.dataset.mail = id;
  if (code) {
    const button = make('button', { type: 'button', className: 'quiet', textContent: 'Use it' });
    button.addEventListener('click', () => {
      element('confirm-code').value = code;
      element('confirm-code').focus();
    });
    item.append(make('code', { textContent: code }), button);
  }
  return item;
}

function element(id) {
  return document.getElementById(id);
}

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
