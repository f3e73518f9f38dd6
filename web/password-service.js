// The password functions of Amplify's `aws-amplify/auth`, carried out by this service.
// One module without dependencies, for browsers and Node 20 or later; its types stand beside it.

/** Seconds before each repeat, by the reason for it. */
const PAUSES = {
  lost: [1, 2],
  inProgress: [1, 2, 4, 8, 16], // a request takes 28 seconds at most
};

/** Seconds; to wait longer than this is not for a program to decide. */
const SHORT = 5;

/** @type {import('./password-service.d.ts').Configuration | undefined} */
let configuration;

/** A failure under the name that Amplify gives it, with what the service adds. */
export class AuthError extends Error {
  /** @param {import('./password-service.d.ts').AuthErrorParams} params */
  constructor(params) {
    super(params.message);
    this.name = params.name;
    this.recoverySuggestion = params.recoverySuggestion;
    this.underlyingError = params.underlyingError;
    this.status = params.status;
    this.errors = params.errors;
    this.requestId = params.requestId;
    this.retryAfter = params.retryAfter;
  }
}

/** @type {typeof import('./password-service.d.ts').configure} */
export function configure(options) {
  configuration = { ...options };
}

/** @type {typeof import('./password-service.d.ts').resetPassword} */
export async function resetPassword({ username, options }) {
  const output = await post('/reset-password', 200, {
    username,
    options: options && { clientMetadata: options.clientMetadata },
  });
  // Amplify always has the member, and the service leaves out what would be empty.
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
  await post('/confirm-reset-password', 204, body, { 'Idempotency-Key': crypto.randomUUID() });
}

/** @type {typeof import('./password-service.d.ts').updatePassword} */
export async function updatePassword({ oldPassword, newPassword, options }) {
  const token = await configured().accessToken?.();
  if (!token && !(oldPassword && newPassword)) {
    throw new AuthError({
      name: 'EmptyUpdatePassword',
      message: 'oldPassword and newPassword are required to update a password.',
      recoverySuggestion: 'Give both passwords, and send the request again.',
    });
  }
  if (!token) {
    throw new AuthError({
      name: 'UserUnAuthenticatedException',
      message: 'User needs to be authenticated to call this API.',
      recoverySuggestion: 'Sign in before calling this API again.',
    });
  }
  const body = {
    oldPassword,
    newPassword,
    options: options && { globalSignOut: options.globalSignOut },
  };
  await post('/update-password', 204, body, {
    Authorization: `Bearer ${token}`,
    'Idempotency-Key': crypto.randomUUID(),
  });
}

function configured() {
  if (configuration) return configuration;
  throw new AuthError({
    name: 'AuthUserPoolException',
    message: 'The password service is not configured.',
    recoverySuggestion: 'Call configure() with the endpoint before any other function.',
  });
}

/**
 * The body of a success; the request is repeated, with the same headers, while that is safe.
 *
 * @param {string} path
 * @param {number} success
 * @param {object} body
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
async function post(path, success, body, headers = {}) {
  const keyed = 'Idempotency-Key' in headers;
  const repeats = { refused: 0, lost: 0, inProgress: 0 };
  for (;;) {
    try {
      return await send(path, success, body, headers);
    } catch (error) {
      const pause = error instanceof AuthError ? pauseAfter(error, repeats, keyed) : undefined;
      if (pause === undefined) throw error;
      // Those who were refused together should not come back together.
      const milliseconds = 1000 * pause * (1 + Math.random() / 2);
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
    }
  }
}

/**
 * Seconds to wait before a repeat, which is counted, or nothing if there must be none.
 *
 * @param {AuthError} error
 * @param {{ refused: number, lost: number, inProgress: number }} repeats so far
 * @param {boolean} keyed whether the service knows a repeat, and carries it out once
 */
function pauseAfter({ name, status = 0, retryAfter = Infinity }, repeats, keyed) {
  // Nothing was done. Once, since the repeat may be one of the few attempts that a user has.
  if (status === 429 && retryAfter <= SHORT && !repeats.refused++) return retryAfter;
  if (!keyed) return undefined;
  if (status === 409) return PAUSES.inProgress[repeats.inProgress++];
  // The service's own 504 is kept as the answer of every repeat; a proxy's may hide a success.
  const lost =
    name === 'NetworkError' ||
    name === 'TimeoutError' ||
    (name === 'Unknown' && [502, 503, 504].includes(status)) ||
    (name === 'InternalErrorException' && status === 502);
  return lost ? PAUSES.lost[repeats.lost++] : undefined;
}

/**
 * @param {string} path
 * @param {number} success
 * @param {object} body
 * @param {Record<string, string>} headers
 */
async function send(path, success, body, headers) {
  const { endpoint, timeout = 30_000 } = configured();
  const signal = AbortSignal.timeout(timeout);
  let response;
  let text;
  try {
    response = await fetch(endpoint.replace(/\/+$/, '') + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
      credentials: 'omit',
      redirect: 'error', // or else it could take the passwords elsewhere
      signal,
    });
    text = await response.text();
  } catch (underlyingError) {
    throw new AuthError({
      name: signal.aborted ? 'TimeoutError' : 'NetworkError',
      message: signal.aborted ? `Request timeout after ${timeout}ms` : 'A network error has occurred.',
      underlyingError,
    });
  }
  const { status } = response;
  const document = parse(text);
  if (status === success && (status === 204 || document?.nextStep)) return document;
  const retryAfter = response.headers.get('Retry-After');
  throw new AuthError({
    ...(typeof document?.code === 'string'
      ? { ...document, name: document.code }
      : { name: 'Unknown', message: 'An unknown error has occurred.' }),
    status,
    retryAfter: /^\d+$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined,
  });
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page
  }
}
