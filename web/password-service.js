// The password functions of Amplify's `aws-amplify/auth`, carried out by this service.
// One module without dependencies, for browsers and Node 20 or later. Its types are in the `.d.ts`.

/**
 * The beginning of every error's `type`. The end is the slug of one of the service's problems, or
 * `network-error`, `unexpected-response` or `not-configured`, which only this client has.
 */
const URN = 'urn:password-service:';

/** Seconds before each retry, by the reason for it. */
const PAUSES = {
  lost: [1, 2],
  inProgress: [1, 2, 4, 8, 16], // a request takes 28 seconds at most
};

/** Seconds. If the wait is longer than this, the user decides. */
const SHORT = 5;

/** The hosts whose connections stay on this machine. */
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;

/** Milliseconds. Longer timers fire at once. */
const MAX_TIMEOUT = 2 ** 31 - 1;

/** @type {Required<import('./password-service.d.ts').Configuration> | undefined} */
let configuration;

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
  }
}

/** @type {typeof import('./password-service.d.ts').localize} */
export function localize(error, { problems, rules }) {
  const words = own(problems, error.type.slice(URN.length));
  return {
    ...error,
    message: words?.detail ?? error.message,
    recoverySuggestion: words?.recoverySuggestion ?? error.recoverySuggestion,
    errors: error.errors?.map((one) => ({ ...one, detail: fill(own(rules, one.rule), one) })),
  };
}

/** @type {typeof import('./password-service.d.ts').configure} */
export function configure(options) {
  const { endpoint, accessToken = () => undefined, timeout = 30_000 } = options;
  const url = readEndpoint(endpoint);
  if (!url) {
    throw misconfigured(
      'The endpoint is not a web address.',
      "Set endpoint to the stack's output ApiUrl, which begins with https://.",
    );
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
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
  configuration = { endpoint, accessToken, timeout };
}

/** @type {typeof import('./password-service.d.ts').resetPassword} */
export async function resetPassword({ username, options }) {
  const output = await retry('POST', '/reset-password', 200, {
    username,
    options: options && { clientMetadata: options.clientMetadata },
  });
  // Amplify always has this member; the service leaves it out if it would be empty.
  return { ...output, nextStep: { codeDeliveryDetails: {}, ...output.nextStep } };
}

/** @type {typeof import('./password-service.d.ts').confirmResetPassword} */
export async function confirmResetPassword({ username, newPassword, confirmationCode, options }) {
  const body = {
    username,
    newPassword,
    confirmationCode,
    options: options && { clientMetadata: options.clientMetadata },
  };
  const headers = { 'Idempotency-Key': crypto.randomUUID() };
  await retry('POST', '/confirm-reset-password', 204, body, headers);
}

/** @type {typeof import('./password-service.d.ts').updatePassword} */
export async function updatePassword({ oldPassword, newPassword, options }) {
  const token = await configured().accessToken();
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
  const body = {
    oldPassword,
    newPassword,
    options: options && { globalSignOut: options.globalSignOut },
  };
  await retry('POST', '/update-password', 204, body, {
    Authorization: `Bearer ${token}`,
    'Idempotency-Key': crypto.randomUUID(),
  });
}

/** @type {typeof import('./password-service.d.ts').getPasswordPolicy} */
export async function getPasswordPolicy() {
  return await retry('GET', '/password-policy', 200);
}

/**
 * What each rule forbids. The service has the same rules, and others that only it can check.
 *
 * @type {Record<string, (password: string, rule: any) => boolean>}
 */
const BROKEN = {
  minLength: (password, { minimum }) => [...password].length < minimum,
  maxLength: (password, { maximum }) => [...password].length > maximum,
  pattern: (password) => /[\p{Cc}\p{Cs}]/u.test(password),
  replacementCharacter: (password) => password.includes('\ufffd'),
  requireLowercase: (password) => !/[a-z]/.test(password),
  requireUppercase: (password) => !/[A-Z]/.test(password),
  requireNumbers: (password) => !/[0-9]/.test(password),
  requireSymbols: (password) => !/[-^$*.[\]{}()?!@#%&/,><:;|_~`=+ "'\\]/.test(password),
  edgeSpace: (password) => /^\p{Z}|\p{Z}$/u.test(password),
  containsUsername: (password, { username }) =>
    [username.replace(/^\++/, ''), username.replace(/@[^@]*$|^[^@]*$/, '')].some(
      (part) => [...fold(part)].length >= 3 && fold(password).includes(fold(part)),
    ),
  sameAsOld: (password, { oldPassword }) => password === oldPassword,
  forbiddenWord: (password, { words }) =>
    // A word of invisible characters would be in every password.
    words.map(reveal).some((/** @type {string} */ one) => one && reveal(password).includes(one)),
};

/** Characters that show nothing, as in the service. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;

/** Characters that people write instead of a letter, as in the service. @type {Record<string, string>} */
const LOOK_ALIKES = {
  ...{ 0: 'o', 1: 'l', '!': 'l', '|': 'l', i: 'l', 3: 'e', 4: 'a' },
  ...{ '@': 'a', 5: 's', $: 's', 7: 't', 8: 'b' },
};

/** @type {typeof import('./password-service.d.ts').validatePassword} */
export function validatePassword({ rules }, password, { username = '', oldPassword } = {}) {
  return rules.filter(({ rule, params }) =>
    own(BROKEN, rule)?.(password, { username, oldPassword, ...params }),
  );
}

/**
 * Return text to compare by, as the service makes it: in plain letters, without invisible ones.
 *
 * @param {string} text
 */
function fold(text) {
  const upper = text.replace(INVISIBLE, '').normalize('NFKC').toUpperCase();
  // Letter by letter, because a sigma at the end of a word would become another letter.
  return Array.from(upper, (one) => one.toLowerCase()).join('');
}

/** @param {string} text */
function reveal(text) {
  return Array.from(fold(text), (one) => LOOK_ALIKES[one] ?? one).join('');
}

function configured() {
  if (configuration) return configuration;
  throw misconfigured(
    'The password service is not configured.',
    'Call configure() with the endpoint before any other function.',
  );
}

/**
 * Return the error of a program that uses this client wrongly. It is never retried.
 *
 * @param {string} message
 * @param {string} recoverySuggestion
 */
function misconfigured(message, recoverySuggestion) {
  const type = /** @type {const} */ (`${URN}not-configured`);
  return new AuthError({ type, name: 'AuthUserPoolException', message, recoverySuggestion });
}

/** Return nothing for what is not a web address. @param {unknown} endpoint */
function readEndpoint(endpoint) {
  try {
    // In a browser, it may be a path of the page's own host.
    const url = new URL(/** @type {string} */ (endpoint), globalThis.location?.href);
    // `fetch` refuses an address that holds a password.
    const isOpen = typeof endpoint === 'string' && !url.username && !url.password;
    return isOpen && /^https?:$/.test(url.protocol) ? url : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Return the body of a success. Retry the request, with the same headers, as long as that is safe.
 *
 * @param {'GET' | 'POST'} method
 * @param {string} path
 * @param {number} success
 * @param {object} [body]
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
async function retry(method, path, success, body, headers = {}) {
  const repeatable = method === 'GET' || 'Idempotency-Key' in headers;
  const retries = { refused: 0, lost: 0, inProgress: 0 };
  for (;;) {
    try {
      return await send(method, path, success, body, headers);
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
async function send(method, path, success, body, headers) {
  const { endpoint, timeout } = configured();
  const signal = AbortSignal.timeout(timeout);
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
      signal,
    });
    text = await response.text();
  } catch (underlyingError) {
    throw new AuthError(
      signal.aborted
        ? {
            type: `${URN}outcome-unknown`,
            name: 'TimeoutError',
            message: `Request timeout after ${timeout}ms`,
            underlyingError,
          }
        : {
            type: `${URN}network-error`,
            name: 'NetworkError',
            message: 'A network error has occurred.',
            underlyingError,
          },
    );
  }
  const { status } = response;
  const document = parse(text);
  if (status === success && (status === 204 || document?.nextStep || document?.rules)) {
    return document;
  }
  const type = /** @type {const} */ (`${URN}unexpected-response`);
  throw new AuthError({
    ...(isProblem(document)
      ? { ...document, name: document.code, errors: readErrors(document.errors) }
      : { type, name: 'Unknown', message: 'An unknown error has occurred.' }),
    status,
    retryAfter: readRetryAfter(response.headers.get('Retry-After') ?? ''),
  });
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
 * @type {<T>(object: Record<string, T>, name: string) => T | undefined}
 */
const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

/**
 * Return a rule's sentence with the numbers of an error, or else the error's own.
 *
 * @param {string | undefined} sentence
 * @param {import('./password-service.d.ts').FieldError} error
 */
function fill(sentence, { detail, params = {} }) {
  const filled = sentence?.replace(/\{(\w+)\}/g, (hole, name) => String(own(params, name) ?? hole));
  return filled && !filled.includes('{') ? filled : detail;
}
