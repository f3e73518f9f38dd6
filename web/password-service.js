// The password functions of Amplify's `aws-amplify/auth`, carried out by this service.
// One module without dependencies, for browsers, React Native and Node 20 or later. Its types are in
// the `.d.ts`. `make package` makes its CommonJS version: `export` may only begin a declaration.

/**
 * The beginning of every error's `type`. The end is the slug of one of the service's problems, or
 * `network-error`, `unexpected-response` or `not-configured`, which only this client has.
 */
const URN = 'urn:password-service:';

/** The end of the name of a catalogue's words that differ if the password may have been changed. */
const OF_CHANGE = '-of-change';

/** Refusals by a proxy, the gateway or the firewall, and of a token. */
const BEFORE_KEY = [
  'unexpected-response',
  'request-blocked',
  'not-signed-in',
  'wrong-token',
  'scope-missing',
];

/** Seconds before each retry, by the reason for it. */
const PAUSES = {
  lost: [1, 2],
  inProgress: [1, 2, 4, 8, 16], // a request takes 28 seconds at most
};

/** Seconds. If the wait is longer than this, the user decides. */
const SHORT = 5;

/** A web address without a name, a password, a query or a fragment: its scheme and its host. */
const ADDRESS = /^(https?:)\/\/(\[[\da-f:.]+\]|[^\s\\/?#@:[\]%]+)(?::\d+)?(?:\/[^\s\\?#]*)?$/i;

/** A path of the page's own host. */
const PATH = /^\/(?:[^\s\\/?#][^\s\\?#]*)?$/;

/** The hosts whose connections stay on this machine. */
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){1,3}|\[::1\])$/i;

/** Milliseconds. Longer timers fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

// BEGIN: `make docs` writes this part.

/** Characters that usernames and codes lose. */
const INVISIBLE = '[\\p{Cf}\\p{Zs}\\p{Zl}\\p{Zp}\\p{Cc}]';

/** Characters that a code of digits loses as well. */
const DASHES = '[\\p{Pd}\\u2043\\u2053\\u207b\\u208b\\u2212\\u30fc\\uff70]';

/** Characters that nobody could type again, by the rule that refuses them in a new password. */
const UNREPEATABLE = {
  replacementCharacter: /[\ufffd]/,
  invisibleCharacter: /[\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc]/,
};

/** Characters that people write instead of a letter. @type {Record<string, string>} */
const LOOK_ALIKES = {
  "0": "o",
  "1": "l",
  "!": "l",
  "|": "l",
  "i": "l",
  "3": "e",
  "4": "a",
  "@": "a",
  "5": "s",
  "$": "s",
  "7": "t",
  "8": "b"
};

/** Characters. A shorter name is refused only as a word of its own, or never. */
const [MIN_NAME, MIN_PART] = [3, 5];

/** The scope that an access token must have. */
const SCOPE = 'aws.cognito.signin.user.admin';

/** Milliseconds for which the service keeps the outcome of an `Idempotency-Key`. */
const LIFETIME = 3600000;

/** The English words for requests to which the service did not respond. */
const WORDS = {
  "network-error": {
    "detail": "A network error has occurred.",
    "recoverySuggestion": "Check the connection and try again."
  },
  "network-error-of-change": {
    "detail": "A network error has occurred.",
    "recoverySuggestion": "Your password may have been changed. Check the connection, then try to sign in with the new password before you try again."
  },
  "unexpected-response": {
    "detail": "An unknown error has occurred.",
    "recoverySuggestion": "Something between this page and the service responded. Try again later."
  },
  "unexpected-response-of-change": {
    "detail": "An unknown error has occurred.",
    "recoverySuggestion": "Something between this page and the service responded, and your password may have been changed. Try to sign in with the new password before you try again."
  },
  "outcome-unknown": {
    "detail": "No clear response arrived in time, so your request may or may not have gone through.",
    "recoverySuggestion": "If you chose a new password, try to sign in with it before you try again."
  }
};

// END

/**
 * A configuration and the calls that were made with it.
 *
 * @typedef {object} Client
 * @property {Required<import('./password-service.d.ts').Configuration>} [configuration]
 * @property {Map<string, Promise<any>>} calls those in flight, by their input
 * @property {Map<string, { key: string, start: number }>} attempts the keys of calls whose outcome is
 *   not known, by a hash of the input
 */

/** The client of `configure` and of the functions that this module exports. @type {Client} */
const shared = { calls: new Map(), attempts: new Map() };

/** A failure with the name that Amplify gives it, and what the service adds. */
export class AuthError extends Error {
  /** @param {import('./password-service.d.ts').AuthErrorParams} params */
  constructor(params) {
    super(params.message);
    this.name = params.name;
    this.type = params.type;
    this.recoverySuggestion = params.recoverySuggestion;
    this.underlyingError = params.underlyingError;
    this.status = params.status;
    this.errors = params.errors;
    this.requestId = params.requestId;
    this.retryAfter = params.retryAfter;
    this.unansweredChange = params.unansweredChange;
    // Where Amplify's errors have them.
    const { status: httpStatusCode, requestId } = params;
    this.metadata = httpStatusCode ? { httpStatusCode, requestId } : undefined;
  }
}

/**
 * Return what an error says in the language of a catalogue, and never throw: this runs where an error
 * is handled, and anything can be thrown. The `.d.ts` has the types.
 *
 * @param {any} error
 * @param {any} catalogue
 */
export function localize(error, catalogue) {
  try {
    const { problems, rules } = Object(catalogue);
    const slug = String(error?.type).slice(URN.length);
    const ofChange = error?.unansweredChange && own(problems, slug + OF_CHANGE);
    const words = Object(ofChange || own(problems, slug));
    const isObject = typeof error === 'object';
    const said = isObject ? error?.message : error;
    return {
      ...(isObject && error),
      name: String(error?.name ?? 'Unknown'),
      message: String(words.detail ?? (said || sayUnknown(problems))),
      recoverySuggestion: words.recoverySuggestion ?? error?.recoverySuggestion,
      errors: readErrors(error?.errors)?.map((one) => ({
        ...one,
        detail: fill(own(rules, one.rule), one),
      })),
    };
  } catch {
    return { name: 'Unknown', message: WORDS['unexpected-response'].detail };
  }
}

/** @param {any} problems the sentences of a catalogue */
function sayUnknown(problems) {
  return (own(problems, 'unexpected-response') ?? WORDS['unexpected-response']).detail;
}

/** @type {typeof import('./password-service.d.ts').configure} */
export function configure(options) {
  shared.configuration = readConfiguration(options);
}

/** @type {typeof import('./password-service.d.ts').createClient} */
export function createClient(options) {
  const client = {
    configuration: readConfiguration(options),
    calls: new Map(),
    attempts: new Map(),
  };
  return {
    resetPassword: (input) => reset(client, input),
    confirmResetPassword: (input) => confirm(client, input),
    updatePassword: (input) => update(client, input),
    getPasswordPolicy: () => readPolicy(client),
  };
}

/** @param {import('./password-service.d.ts').Configuration} options */
function readConfiguration(options) {
  const { endpoint, accessToken = () => undefined, timeout = 30_000 } = options;
  const address = readEndpoint(endpoint);
  if (!address) {
    throw misconfigured(
      'The endpoint is not a web address.',
      "Set endpoint to the stack's output ApiUrl, which begins with https://.",
    );
  }
  if (address.protocol === 'http:' && !LOOPBACK.test(address.hostname)) {
    throw misconfigured(
      'The endpoint would send passwords without encryption.',
      'Set endpoint to an address that begins with https://; only localhost may do without.',
    );
  }
  if (typeof accessToken !== 'function') {
    throw misconfigured(
      'accessToken is not a function.',
      'Set accessToken to a function that returns the access token.',
    );
  }
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > MAX_TIMEOUT) {
    throw misconfigured(
      'The timeout is not a valid number of milliseconds.',
      `Set timeout to a whole number from 1 to ${MAX_TIMEOUT}, or leave it out.`,
    );
  }
  unicode(INVISIBLE); // if the engine cannot read it, say so now instead of at the first call
  return { endpoint, accessToken, timeout };
}

/** @type {typeof import('./password-service.d.ts').resetPassword} */
export function resetPassword(input) {
  return reset(shared, input);
}

/** @type {typeof import('./password-service.d.ts').confirmResetPassword} */
export function confirmResetPassword(input) {
  return confirm(shared, input);
}

/** @type {typeof import('./password-service.d.ts').updatePassword} */
export function updatePassword(input) {
  return update(shared, input);
}

/** @type {typeof import('./password-service.d.ts').getPasswordPolicy} */
export function getPasswordPolicy() {
  return readPolicy(shared);
}

/**
 * @param {Client} client
 * @param {import('./password-service.d.ts').ResetPasswordInput} input
 */
async function reset(client, { username, options }) {
  const path = '/reset-password';
  const body = {
    username: foldUsername(username),
    options: options && { clientMetadata: options.clientMetadata },
  };
  const output = await once(client, [path, body], () => retry(client, 'POST', path, 200, body));
  // Amplify always has this member; the service leaves it out if it would be empty.
  return { ...output, nextStep: { codeDeliveryDetails: {}, ...output.nextStep } };
}

/**
 * @param {Client} client
 * @param {import('./password-service.d.ts').ConfirmResetPasswordInput} input
 */
async function confirm(client, { username, newPassword, confirmationCode, options }) {
  const path = '/confirm-reset-password';
  const body = {
    username: foldUsername(username),
    newPassword,
    confirmationCode: foldConfirmationCode(confirmationCode),
    options: options && { clientMetadata: options.clientMetadata },
  };
  await once(client, [path, body], (key) =>
    retry(client, 'POST', path, 204, body, { 'Idempotency-Key': key }),
  );
}

/**
 * @param {Client} client
 * @param {import('./password-service.d.ts').UpdatePasswordInput} input
 */
async function update(client, { oldPassword, newPassword, options }) {
  const token = await configured(client).accessToken();
  if (!token && !(oldPassword && newPassword)) {
    throw new AuthError({
      type: `${URN}update-password-missing`,
      name: 'EmptyUpdatePassword',
      message: 'Both your current and your new password are required.',
      recoverySuggestion: 'Enter both passwords, then try again.',
    });
  }
  if (!token) {
    throw new AuthError({
      type: `${URN}not-signed-in`,
      name: 'UserUnAuthenticatedException',
      message: 'User needs to be authenticated to call this API.',
      recoverySuggestion: 'Sign in before calling this API again.',
    });
  }
  // Otherwise `fetch` would fail as it does without a network, and show the token in its message.
  if (!/^[\x21-\x7e]+$/.test(String(token))) {
    throw misconfigured(
      'The access token has a newline, a space or another character that no token has.',
      'Let accessToken() return the token alone.',
    );
  }
  const claims = readClaims(String(token));
  if (claims && claims.token_use !== 'access') {
    throw misused(
      'wrong-token',
      'The token is not an access token.',
      'Let accessToken() return the access token of the session instead of its ID token.',
    );
  }
  if (claims && !String(claims.scope).split(/\s+/).includes(SCOPE)) {
    throw misused(
      'scope-missing',
      `The access token lacks the scope ${SCOPE}.`,
      'Allow this scope for the app client, and ask for it when the user signs in.',
    );
  }
  const path = '/update-password';
  const body = {
    oldPassword,
    newPassword,
    options: options && { globalSignOut: options.globalSignOut },
  };
  const headers = { Authorization: `Bearer ${token}` };
  // A later call of the user may have a newer token.
  await once(client, [path, claims?.sub ?? token, body], (key) =>
    retry(client, 'POST', path, 204, body, { ...headers, 'Idempotency-Key': key }),
  );
}

/** @param {Client} client @returns {Promise<import('./password-service.d.ts').PasswordPolicy>} */
async function readPolicy(client) {
  return await retry(client, 'GET', '/password-policy', 200);
}

/**
 * Whether a password breaks a rule, or the params that say how. The service has the same rules, and
 * others that only it can check.
 *
 * @type {Record<string, (password: string, rule: any) => boolean | { part: string } | undefined>}
 */
const BROKEN = {
  minLength: (password, { minimum }) => [...password].length < minimum,
  maxLength: (password, { maximum }) => [...password].length > maximum,
  pattern: (password) => unicode('[\\p{Cc}\\p{Cs}]').test(password),
  replacementCharacter: (password) => UNREPEATABLE.replacementCharacter.test(password),
  invisibleCharacter: (password) => UNREPEATABLE.invisibleCharacter.test(password),
  requireLowercase: (password) => !/[a-z]/.test(password),
  requireUppercase: (password) => !/[A-Z]/.test(password),
  requireNumbers: (password) => !/[0-9]/.test(password),
  requireSymbols: (password) => !/[-^$*.[\]{}()?!@#%&/,><:;|_~`=+ "'\\]/.test(password),
  edgeSpace: (password) => unicode('^\\p{Z}|\\p{Z}$').test(password),
  containsUsername: (password, { username }) => {
    const parts = [username.replace(/@[^@]*$|^[^@]*$/, ''), username.replace(/^\++/, '')];
    const part = parts.find((one) => containsName(fold(password), fold(one)));
    return part && { part };
  },
  sameAsOld: (password, { oldPassword }) => password === oldPassword,
  forbiddenWord: (password, { words }) =>
    // A word of invisible characters would be in every password.
    words.map(reveal).some((/** @type {string} */ one) => one && reveal(password).includes(one)),
};

/** Characters of a password that show nothing, as in the service. */
const IGNORABLE = '[\\p{Cf}\\p{Default_Ignorable_Code_Point}]';

/** A digit of any script. */
const DIGIT = '\\p{Decimal_Number}';

/** @type {typeof import('./password-service.d.ts').validatePassword} */
export function validatePassword({ rules }, password, { username = '', oldPassword } = {}) {
  const user = { username: foldUsername(username), oldPassword };
  return rules.flatMap((one) => {
    const broken = own(BROKEN, one.rule)?.(password, { ...user, ...one.params });
    if (typeof broken === 'object') return { ...one, params: { ...one.params, ...broken } };
    return broken ? one : [];
  });
}

/** @type {typeof import('./password-service.d.ts').foldUsername} */
export function foldUsername(username) {
  // The service says what is wrong with anything else.
  return typeof username === 'string' ? username.replace(unicode(INVISIBLE), '') : username;
}

/** @type {typeof import('./password-service.d.ts').foldConfirmationCode} */
export function foldConfirmationCode(code) {
  const folded = foldUsername(code);
  const digits = typeof folded === 'string' ? folded.replace(unicode(DASHES), '') : '';
  return unicode(`^${DIGIT}+$`).test(digits) ? Array.from(digits, readDigit).join('') : folded;
}

/**
 * Return the value of a digit of any script. Unicode has each script's digits in a row, from zero.
 *
 * @param {string} digit
 */
function readDigit(digit) {
  const point = /** @type {number} */ (digit.codePointAt(0));
  let zero = point;
  while (unicode(DIGIT).test(String.fromCodePoint(zero - 1))) zero--;
  return (point - zero) % 10; // mathematical digits are five rows without a gap
}

/**
 * Return text to compare by, as the service makes it: in plain letters, without invisible ones.
 *
 * @param {string} text
 */
function fold(text) {
  const upper = text.replace(unicode(IGNORABLE), '').normalize('NFKC').toUpperCase();
  // Letter by letter, because a sigma at the end of a word would become another letter.
  return Array.from(upper, (one) => one.toLowerCase()).join('');
}

/**
 * Tell whether a text contains a name: a short one only with no letter directly before or after it.
 *
 * @param {string} text
 * @param {string} name
 */
function containsName(text, name) {
  const { length } = [...name];
  if (length < MIN_NAME) return false;
  if (length >= MIN_PART) return text.includes(name);
  const letter = '\\p{L}\\p{Nl}\\p{No}';
  const escaped = name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  // Older browsers cannot look behind, and fail at a pattern that does.
  return unicode(`(^|[^${letter}])${escaped}(?![${letter}])`).test(text);
}

/**
 * Return a regular expression with Unicode's properties. A literal would stop an engine that has none
 * from loading this module.
 *
 * @param {string} pattern
 */
function unicode(pattern) {
  try {
    return new RegExp(pattern, 'gu');
  } catch {
    throw misconfigured(
      'This JavaScript engine lacks the Unicode properties of regular expressions (\\p{…}).',
      'Use a newer engine: Hermes has them since React Native 0.75.',
    );
  }
}

/** @param {string} text */
function reveal(text) {
  return Array.from(fold(text), (one) => LOOK_ALIKES[one] ?? one).join('');
}

/** @param {Client} client */
function configured({ configuration }) {
  if (configuration) return configuration;
  throw misconfigured(
    'The password service is not configured.',
    'Call configure() with the endpoint before any other function.',
  );
}

/**
 * Return the error of a program that uses this client wrongly. It is never retried.
 *
 * @param {string} slug
 * @param {string} message
 * @param {string} recoverySuggestion
 */
function misused(slug, message, recoverySuggestion) {
  const type = /** @type {const} */ (`${URN}${slug}`);
  return new AuthError({ type, name: 'AuthUserPoolException', message, recoverySuggestion });
}

/** @param {string} message @param {string} recoverySuggestion */
function misconfigured(message, recoverySuggestion) {
  return misused('not-configured', message, recoverySuggestion);
}

/**
 * Return nothing for what is not a web address. React Native has no whole `URL` class.
 *
 * @param {unknown} endpoint
 * @returns {{ protocol: string, hostname: string } | undefined}
 */
function readEndpoint(endpoint) {
  if (typeof endpoint !== 'string') return undefined;
  const { location } = globalThis;
  if (PATH.test(endpoint)) return /^https?:$/.test(location?.protocol) ? location : undefined;
  const [, protocol, hostname] = ADDRESS.exec(endpoint) ?? [];
  return hostname ? { protocol: protocol.toLowerCase(), hostname } : undefined;
}

/**
 * Return what a call returns. If the same call is in flight, wait for it instead.
 *
 * @param {Client} client
 * @param {unknown[]} input all that makes two calls the same
 * @param {(key: string) => Promise<any>} send
 */
function once(client, input, send) {
  const text = JSON.stringify([configured(client).endpoint, ...input]);
  const { calls, attempts } = client;
  const call = calls.get(text) ?? attempt(attempts, text, send).finally(() => calls.delete(text));
  calls.set(text, call);
  return call;
}

/**
 * Return what a call returns. If the outcome of an earlier one is unknown, use its key again, so that
 * the service responds with that outcome.
 *
 * @param {Client['attempts']} attempts
 * @param {string} text the input
 * @param {(key: string) => Promise<any>} send
 */
async function attempt(attempts, text, send) {
  const id = await hash(text);
  for (const [other, { start }] of attempts) {
    if (Date.now() - start > LIFETIME) attempts.delete(other);
  }
  const { key, start } = attempts.get(id) ?? { key: makeKey(), start: Date.now() };
  attempts.set(id, { key, start });
  try {
    const output = await send(key);
    attempts.delete(id);
    return output;
  } catch (error) {
    if (isDefinite(/** @type {AuthError} */ (error))) attempts.delete(id);
    throw error;
  }
}

/**
 * Tell whether the service has said what came of a request, so that the next one is a new one.
 *
 * @param {AuthError} error
 */
function isDefinite({ type, status = 0 }) {
  const slug = type.slice(URN.length);
  // The service's own 504. For an hour, it would give the same answer to the same key.
  if (slug === 'outcome-unknown') return status > 0;
  // It was refused before the service could look at the key.
  if (BEFORE_KEY.includes(slug)) return false;
  return status >= 400 && status < 500 && status !== 409 && status !== 429;
}

/**
 * Return text that stands for a secret, which is then not kept. Pages that came over http:// and
 * React Native have no hashes, and keep the text.
 *
 * @param {string} text
 */
async function hash(text) {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle || typeof TextEncoder !== 'function') return text;
  return String(new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

/** Return a new `Idempotency-Key`. Only pages that came over https:// have `crypto.randomUUID`. */
function makeKey() {
  const bytes =
    globalThis.crypto?.getRandomValues?.(new Uint8Array(18)) ??
    Array.from({ length: 18 }, () => Math.floor(256 * Math.random())); // React Native
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Return the claims of a token, which only the service verifies; nothing if they cannot be read.
 *
 * @param {string} token
 */
function readClaims(token) {
  try {
    const payload = token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const claims = JSON.parse(atob(payload));
    return Object(claims) === claims ? claims : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Return the body of a success. Retry the request, with the same headers, as long as that is safe.
 *
 * @param {Client} client
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {number} success
 * @param {object} [body]
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
async function retry(client, method, path, success, body, headers = {}) {
  const repeatable = method === 'GET' || 'Idempotency-Key' in headers;
  const retries = { refused: 0, lost: 0, inProgress: 0 };
  for (;;) {
    try {
      return await send(client, method, path, success, body, headers);
    } catch (error) {
      const pause = error instanceof AuthError ? pauseAfter(error, retries, repeatable) : undefined;
      if (pause === undefined) throw error;
      // Clients that were refused together should not come back together.
      const milliseconds = 1000 * pause * (1 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
    }
  }
}

/**
 * Return the seconds to wait before a retry, which is counted, or nothing if there must be none.
 *
 * @param {AuthError} error
 * @param {{ refused: number, lost: number, inProgress: number }} retries so far
 * @param {boolean} repeatable whether a retry changes nothing that the first request has changed
 */
function pauseAfter({ type, status = 0, retryAfter = Infinity }, retries, repeatable) {
  // Nothing was done. Retry only once, because a retry may use up one of the user's few attempts.
  if (status === 429 && retryAfter <= SHORT && !retries.refused++) return retryAfter;
  if (!repeatable) return undefined;
  if (type === `${URN}request-in-progress`) return PAUSES.inProgress[retries.inProgress++];
  return isLost(type, status) ? PAUSES.lost[retries.lost++] : undefined;
}

/**
 * Tell whether the response was lost, so that a retry may bring it.
 *
 * @param {AuthError['type']} type
 * @param {number} status 0 if there was no response
 */
function isLost(type, status) {
  const slug = type.slice(URN.length);
  // A time-out of this client; a retry gets the service's own 504 once more.
  if (slug === 'outcome-unknown') return !status;
  // A proxy's page, which may hide a success.
  if (slug === 'unexpected-response') return [502, 503, 504].includes(status);
  return ['network-error', 'service-unavailable', 'function-stopped'].includes(slug);
}

/** @type {typeof retry} */
async function send(client, method, path, success, body, headers) {
  const { endpoint, timeout } = configured(client);
  const lacking = ['fetch', 'AbortController'].find((name) => !(name in globalThis));
  if (lacking) {
    throw misconfigured(
      `This environment lacks ${lacking}.`,
      `Load a polyfill of ${lacking} before you call this function.`,
    );
  }
  const unansweredChange = Boolean(headers?.['Idempotency-Key']);
  const controller = new AbortController(); // React Native has no `AbortSignal.timeout`
  const timer = setTimeout(() => controller.abort(), timeout);
  let response;
  let text;
  try {
    response = await fetch(endpoint.replace(/\/+$/, '') + path, {
      method,
      // A GET without headers of its own needs no preflight.
      headers: body ? { 'Content-Type': 'application/json', ...headers } : headers,
      body: body && JSON.stringify(body),
      credentials: 'omit',
      redirect: 'error', // otherwise it could take the passwords elsewhere
      signal: controller.signal,
    });
    text = await response.text();
  } catch (underlyingError) {
    const lost = { unansweredChange, underlyingError };
    throw controller.signal.aborted
      ? unanswered('outcome-unknown', 'TimeoutError', {
          ...lost,
          message: `Request timeout after ${timeout}ms`,
        })
      : unanswered('network-error', 'NetworkError', lost);
  } finally {
    clearTimeout(timer);
  }
  const { status } = response;
  const document = parse(text);
  if (status === success && (status === 204 || document?.nextStep || document?.rules)) {
    return document;
  }
  const retryAfter = readRetryAfter(response.headers.get('Retry-After') ?? '');
  if (!isProblem(document)) {
    throw unanswered('unexpected-response', 'Unknown', { unansweredChange, status, retryAfter });
  }
  const errors = readErrors(document.errors);
  throw new AuthError({ ...document, name: document.code, errors, status, retryAfter });
}

/**
 * Return the error of a request to which the service did not respond, in English.
 *
 * @param {string} slug
 * @param {string} name
 * @param {Partial<import('./password-service.d.ts').AuthErrorParams>} params
 */
function unanswered(slug, name, params) {
  const error = { type: /** @type {const} */ (`${URN}${slug}`), name, message: '', ...params };
  return new AuthError({ ...localize(error, { problems: WORDS, rules: {} }), ...params });
}

/**
 * Return the seconds of a `Retry-After`, which is a number or a date (RFC 9110 §10.2.3).
 *
 * @param {string} header
 */
function readRetryAfter(header) {
  if (/^\d+$/.test(header)) return Number(header);
  const date = / GMT$/.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

/**
 * Return the field errors that have what the types promise.
 *
 * @param {unknown} errors
 */
function readErrors(errors) {
  if (!Array.isArray(errors)) return undefined;
  return errors.filter(
    (one) =>
      [one?.pointer, one?.rule, one?.detail].every((text) => typeof text === 'string') &&
      (one.params === undefined || Object(one.params) === one.params),
  );
}

/** Tell whether it is of the service, and not of something between. @param {any} document */
function isProblem(document) {
  return typeof document?.code === 'string' && String(document.type).startsWith(URN);
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page
  }
}

/**
 * Return a member of an object, and nothing that every object has, such as `constructor`.
 *
 * @type {<T>(object: Record<string, T> | undefined, name: string) => T | undefined}
 */
const own = (object, name) =>
  object && Object.prototype.hasOwnProperty.call(object, name) ? object[name] : undefined;

/**
 * Return a rule's sentence with the params of an error, or else the error's own.
 *
 * @param {string | undefined} sentence
 * @param {import('./password-service.d.ts').FieldError} error
 */
function fill(sentence, { detail, params = {} }) {
  const pieces = String(sentence ?? '').split(/\{(\w+)\}/); // every second one is a name
  const filled = pieces.map((piece, index) => (index % 2 ? own(params, piece) : piece));
  return filled.includes(undefined) ? detail : filled.join('') || detail;
}
