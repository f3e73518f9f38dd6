// The page of the password service. All that it knows of the service is the client beside it.

import {
  AuthError,
  configure,
  confirmResetPassword,
  resetPassword,
  updatePassword,
} from './password-service.js';
import { logRequests } from './request-log.js';

const config = await (await fetch('/config.json')).json();

/** What the page can judge by itself as one types; a rule without `met` is for the service. */
const RULES = [
  {
    rule: 'minLength',
    text: `At least ${config.minLength} characters`,
    met: ({ newPassword }) => [...newPassword].length >= config.minLength,
  },
  {
    rule: 'edgeSpace',
    text: 'No space at the beginning or the end',
    met: ({ newPassword }) => newPassword === newPassword.trim(),
  },
  {
    rule: 'containsUsername',
    forms: ['confirm'],
    text: 'Without your user name',
    met: ({ newPassword, username }) =>
      ![username, username.replace(/@[^@]*$/, '')].some(
        (part) => part.length >= 3 && plain(newPassword).includes(plain(part)),
      ),
  },
  {
    rule: 'sameAsOld',
    forms: ['update'],
    text: 'Not the current password',
    met: ({ newPassword, oldPassword }) => newPassword !== oldPassword,
  },
  { rule: 'breached', text: 'In no list of stolen passwords, which the service looks up' },
];

/** For what did not come from the service, which gives advice of its own. */
const ADVICE = {
  NetworkError: 'Check the connection and try again.',
  TimeoutError: 'Try again in a minute.',
  Unknown: 'Something between this page and the service answered. Try again later.',
};
const OUTCOME_UNKNOWN = 'If you chose a new password, try to sign in with it first.';

/** In memory alone: what other scripts could find in a storage, they could also send away. */
let session = { username: '', accessToken: '' };

/** What each form does, what it says then, and the field that one needs next. */
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

/** Add what every field has: a place for its errors, and for a password a button to see it. */
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
  // Or else a browser may keep them with the other texts that were typed.
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
  const { name, message, status, errors = [], requestId, retryAfter, recoverySuggestion } = error;
  if (name === 'NotAuthorizedException' && status === 401 && form.id === 'update') enter('', '');
  form.refused = { newPassword, errors };
  const elsewhere = errors.filter((one) => !place(form, one));
  showRules(form);
  const advice = recoverySuggestion ?? ADVICE[name];
  const problem = form.querySelector('.problem');
  problem.append(
    make('p', { className: 'message', textContent: message }),
    make('p', { textContent: newPassword && ADVICE[name] ? `${advice} ${OUTCOME_UNKNOWN}` : advice }),
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

/** Put an error beside the field that it is about; `pointer` is the field's name in a fragment. */
function place(form, { pointer, detail }) {
  const input = form.elements.namedItem(pointer.slice('#/'.length));
  if (!input) return false;
  input.setAttribute('aria-invalid', 'true');
  const errors = element(input.getAttribute('aria-describedby'));
  if (errors.className !== 'rules') errors.append(make('li', { textContent: detail }));
  return true;
}

/** Say of each rule for the new password whether it is met; the service's word counts most. */
function showRules(form) {
  const list = form.querySelector('.rules');
  if (!list) return;
  const values = Object.fromEntries(new FormData(form));
  const { newPassword } = values;
  const refused = form.refused?.newPassword === newPassword ? form.refused.errors : [];
  const broken = refused.filter(({ pointer }) => pointer === '#/newPassword');
  const known = RULES.filter(({ forms }) => !forms || forms.includes(form.id));
  const states = known.map(({ rule, text, met }) => {
    const judged = newPassword && met ? (met(values) ? 'Met' : 'Not met') : 'Not known yet';
    return [text, broken.some((one) => one.rule === rule) ? 'Not met' : judged];
  });
  const others = broken.filter(({ rule }) => !known.some((one) => one.rule === rule));
  states.push(...others.map(({ detail }) => [detail, 'Not met']));
  const unmet = states.filter(([, state]) => state === 'Not met').length;
  const summary = newPassword && `${unmet || 'No'} ${unmet === 1 ? 'rule is' : 'rules are'} not met.`;
  // What did not change is not to be read aloud again with each letter.
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
  // Said once; the seconds that pass are for the eye alone.
  status.textContent = `You can try again at ${new Date(end).toLocaleTimeString()}.`;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    timer.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
    // The limit may be that of a user, and so another one may try.
    if (left && read(form).username === username) return;
    clearInterval(interval);
    button.disabled = false;
    timer.textContent = '';
    status.textContent = left ? '' : 'You can try again now.';
  };
  const interval = setInterval(tick, 1000);
  tick();
}

/** Amplify's part in an application; on this machine it is the runner's, in the same terms. */
async function signIn(username, password) {
  let response;
  try {
    response = await fetch('/local/sign-in', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password }),
    });
  } catch (underlyingError) {
    const message = 'A network error has occurred.';
    throw new AuthError({ name: 'NetworkError', message, underlyingError });
  }
  // A body that the runner does not read is refused without a problem.
  const unknown = { code: 'Unknown', message: 'An unknown error has occurred.' };
  const document = await response.json().catch(() => unknown);
  if (response.ok) return document.accessToken;
  throw new AuthError({ ...document, name: document.code, status: response.status });
}

function enter(username, accessToken) {
  session = { username, accessToken };
  element('update-username').value = username;
}

async function readMails() {
  try {
    const response = await fetch('/local/inbox');
    if (response.ok) mails = await response.json();
    showMails();
  } catch {
    // The runner has stopped, or starts anew.
  }
  setTimeout(readMails, 1000);
}

/** Newest first; only what is new is added, since it is read aloud. */
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

function plain(text) {
  return text.normalize('NFC').toLowerCase();
}

function element(id) {
  return document.getElementById(id);
}

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
