// The client against a server that plays the service, one scripted answer after the other.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';

import {
  AuthError,
  configure,
  confirmResetPassword,
  createClient,
  getPasswordPolicy,
  localize,
  resetPassword,
  updatePassword,
  validatePassword,
} from '../../web/password-service.js';

/** Every problem of the service, as its document: the Python side has them. */
const PROBLEMS = JSON.parse(process.env.PROBLEMS);

const RESET = { username: 'ada@example.com' };
const CONFIRM = { ...RESET, newPassword: 'a-new-quiet-harbour', confirmationCode: '123456' };
const UPDATE = { oldPassword: 'an-old-quiet-harbour', newPassword: 'a-new-quiet-harbour' };
const SENT = {
  isPasswordReset: false,
  nextStep: {
    resetPasswordStep: 'CONFIRM_RESET_PASSWORD_WITH_CODE',
    codeDeliveryDetails: {
      destination: 'a***@e***',
      deliveryMedium: 'EMAIL',
      attributeName: 'email',
    },
  },
};
const CALLS = {
  resetPassword: () => resetPassword(RESET),
  confirmResetPassword: () => confirmResetPassword(CONFIRM),
  updatePassword: () => updatePassword(UPDATE),
};
const KEYED = ['confirmResetPassword', 'updatePassword'];

// The pauses between retries are a thousand times shorter. A request times out when the script says
// so, not after a time that a slow machine needs itself.
const TIMEOUT = 30_000;
const realTimeout = globalThis.setTimeout;
let timeOut;
globalThis.setTimeout = (act, milliseconds, ...rest) => {
  if (milliseconds === TIMEOUT) timeOut = act;
  return realTimeout(act, milliseconds === TIMEOUT ? 2 ** 31 - 1 : milliseconds / 1000, ...rest);
};

let script = [];
let requests = [];
let endpoint;

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { method, url, headers } = request;
  requests.push({ method, url, headers, body: JSON.parse(String(Buffer.concat(chunks)) || 'null') });
  // The last answer is given to whatever comes after it.
  const step = script.length > 1 ? script.shift() : script[0];
  step(response, request);
});

const answer =
  (status, body = '', headers = {}) =>
  (response) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(text);
  };
const refuse = (slug, headers = {}) => {
  const document = problem(slug);
  return answer(document.status, document, {
    'Content-Type': 'application/problem+json',
    ...headers,
  });
};
const page = (status) => answer(status, '<html></html>', { 'Content-Type': 'text/html' });
const hang = () => timeOut();
const hangUp = (_response, request) => request.socket.destroy();
const breakOff = (response) => {
  response.writeHead(200, { 'Content-Length': 1000 }).write('{', () => response.destroy());
};

const URN = 'urn:password-service:';

function problem(slug) {
  const found = PROBLEMS.find(({ type }) => type === `${URN}${slug}`);
  assert.ok(found, slug);
  return found;
}

/** What a call ends in: its value, or the error that it throws. */
async function outcome(call) {
  return call().catch((error) => {
    assert.ok(error instanceof AuthError && error instanceof Error);
    return error;
  });
}

before(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${server.address().port}/v1`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  script = [];
  requests = [];
  configure({ endpoint, accessToken: () => 'a-token' });
});

test('a call before configure() fails as with Amplify', async () => {
  const fresh = await import('../../web/password-service.js?unconfigured');

  for (const [name, input] of Object.entries({ resetPassword: RESET, updatePassword: UPDATE })) {
    await assert.rejects(fresh[name](input), {
      name: 'AuthUserPoolException',
      type: `${URN}not-configured`,
    });
  }
});

const WRONG = {
  endpoint: [
    ...[undefined, null, 5, '', 'example.com', 'ftp://example.com', 'https://', 'https:///v1', '//a.example'],
    ...['https://me:secret@example.com', 'https://me@example.com', 'https://a.example/?b', 'https://a/#b'],
    ...['http://localhost:secret@a.example', 'http://localhost\\@a.example', 'https://a.example/b c'],
    ...['https://a.example\n', ' https://a.example', 'https://a.example:port', '/v1'],
  ],
  timeout: [0, -1, 1.5, NaN, Infinity, 2 ** 31, '30', null],
  accessToken: ['a-token', null],
};
for (const host of ['example.com', '127.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '[::2]']) {
  test(`configure() refuses http://${host}, which would send passwords in clear`, () => {
    assert.throws(() => configure({ endpoint: `http://${host}/v1` }), {
      type: `${URN}not-configured`,
      message: 'The endpoint would send passwords without encryption.',
      recoverySuggestion: /begins with https:/,
    });
    configure({ endpoint: `https://${host}/v1` });
  });
}

for (const host of ['localhost', 'LOCALHOST', 'api.localhost:4566', '127.0.0.1:4566', '127.1', '[::1]:1']) {
  test(`configure() takes http://${host}, which does not leave this machine`, () => {
    configure({ endpoint: `http://${host}/v1` });
  });
}

for (const [name, values] of Object.entries(WRONG)) {
  for (const value of values) {
    test(`configure() refuses the ${name} ${JSON.stringify(value)} and names it`, () => {
      assert.throws(() => configure({ endpoint, [name]: value }), (error) => {
        assert.equal(error.type, `${URN}not-configured`);
        assert.match(error.message, new RegExp(name));
        assert.match(error.recoverySuggestion, new RegExp(name));
        return true;
      });
    });
  }
}

for (const token of ['a\nb', 'a-token\n', 'a b', 'Jeton-é']) {
  test(`a token such as ${JSON.stringify(token)} is named, not shown and not sent`, async () => {
    script = [answer(204)];
    configure({ endpoint, accessToken: () => token });

    const error = await outcome(CALLS.updatePassword);

    assert.equal(error.type, `${URN}not-configured`);
    assert.match(error.message, /^The access token has/);
    assert.ok(!inspect(error).includes(token));
    assert.equal(requests.length, 0);
  });
}

test('a reset sends what the service takes and gives what Amplify gives', async () => {
  script = [answer(200, SENT)];

  const output = await resetPassword({ ...RESET, options: { clientMetadata: { a: 'b' } } });

  assert.deepEqual(output, SENT);
  const [{ method, url, headers, body }] = requests;
  assert.deepEqual([method, url], ['POST', '/v1/reset-password']);
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers['idempotency-key'], undefined);
  assert.deepEqual(body, { ...RESET, options: { clientMetadata: { a: 'b' } } });
});

test('a reset for a name that is no address has empty delivery details, as with Amplify', async () => {
  const { resetPasswordStep } = SENT.nextStep;
  script = [answer(200, { isPasswordReset: false, nextStep: { resetPasswordStep } })];

  const { nextStep } = await resetPassword(RESET);

  assert.deepEqual(nextStep, { resetPasswordStep, codeDeliveryDetails: {} });
});

test('a confirmation and an update send what the service takes and give nothing', async () => {
  script = [answer(204)];

  assert.equal(await confirmResetPassword(CONFIRM), undefined);
  assert.equal(await updatePassword(UPDATE), undefined);

  assert.deepEqual(
    requests.map(({ url, headers, body }) => [url, headers.authorization, body]),
    [
      ['/v1/confirm-reset-password', undefined, CONFIRM],
      ['/v1/update-password', 'Bearer a-token', UPDATE],
    ],
  );
});

test('what Amplify ignores is not sent, since the service would refuse it', async () => {
  script = [answer(204)];

  await confirmResetPassword({ ...CONFIRM, extra: 1, options: { extra: 2 } });
  await updatePassword({ ...UPDATE, extra: 1, options: { globalSignOut: true, extra: 2 } });

  assert.deepEqual(
    requests.map(({ body }) => body),
    [
      { ...CONFIRM, options: {} },
      { ...UPDATE, options: { globalSignOut: true } },
    ],
  );
});

test('the policy is asked for without a preflight, and again if the answer is lost', async () => {
  const policy = { rules: [{ rule: 'minLength', params: { minimum: 15 } }] };
  script = [hangUp, refuse('service-unavailable'), answer(200, policy)];

  assert.deepEqual(await getPasswordPolicy(), policy);

  assert.equal(requests.length, 3);
  for (const { method, url, headers, body } of requests) {
    assert.deepEqual([method, url, body], ['GET', '/v1/password-policy', null]);
    assert.ok(!('content-type' in headers || 'authorization' in headers));
  }
});

test('a username and a code are sent as the service reads them, a password as it was typed', async () => {
  script = [answer(200, SENT), answer(204)];
  const username = '\ufeffada@example.com\u200b\t';

  await resetPassword({ username });
  await confirmResetPassword({ username, confirmationCode: '１２３-٤٥\u00a06', newPassword: ' \u200b' });

  assert.deepEqual(
    requests.map(({ body }) => body),
    [RESET, { ...CONFIRM, newPassword: ' \u200b' }],
  );
});

test('a value that is no text is left to the service', async () => {
  script = [refuse('invalid-request')];

  await outcome(() => confirmResetPassword({ ...CONFIRM, username: 5, confirmationCode: 123456 }));

  const { username, confirmationCode } = requests[0].body;
  assert.deepEqual([username, confirmationCode], [5, 123456]);
});

test('a base URL may end with a slash', async () => {
  script = [answer(204)];
  configure({ endpoint: `${endpoint}/` });

  await confirmResetPassword(CONFIRM);

  assert.equal(requests[0].url, '/v1/confirm-reset-password');
});

for (const [page, path, taken] of [
  ['https://app.example.com/', '/', true],
  ['https://app.example.com/', '/v1', true],
  ['http://localhost:3000/', '/v1', true],
  ['http://192.168.1.5/', '/v1', false],
  ['capacitor://localhost/', '/v1', false],
  ['https://app.example.com/', 'v1', false],
  ['https://app.example.com/', '//evil.example/v1', false],
  ['https://app.example.com/', '/\\evil.example/v1', false],
  ['https://app.example.com/', '/v1?a', false],
]) {
  test(`configure() ${taken ? 'takes' : 'refuses'} the path ${path} on ${page}`, (context) => {
    globalThis.location = new URL(page);
    context.after(() => delete globalThis.location);

    const wrong = { type: `${URN}not-configured` };
    const call = () => configure({ endpoint: path });
    if (taken) call();
    else assert.throws(call, wrong);
  });
}

test('each update asks for the token anew', async () => {
  script = [answer(204)];
  const tokens = ['first', 'second'];
  configure({ endpoint, accessToken: async () => tokens.shift() });

  await updatePassword(UPDATE);
  await updatePassword(UPDATE);

  assert.deepEqual(
    requests.map(({ headers }) => headers.authorization),
    ['Bearer first', 'Bearer second'],
  );
});

test('clients with configurations of their own share nothing, not even at the same time', async () => {
  script = [answer(204)];
  const clients = ['ada', 'eve'].map((name) =>
    createClient({ endpoint: `${endpoint}/${name}`, accessToken: () => name }),
  );

  await Promise.all([updatePassword, ...clients.map((one) => one.updatePassword)].map((f) => f(UPDATE)));

  assert.deepEqual(
    requests.map(({ url, headers }) => [url, headers.authorization]).sort(),
    [
      ['/v1/ada/update-password', 'Bearer ada'],
      ['/v1/eve/update-password', 'Bearer eve'],
      ['/v1/update-password', 'Bearer a-token'],
    ],
  );
});

test('a client of its own sends and gives what the functions of the module do', async () => {
  const policy = { rules: [{ rule: 'edgeSpace' }] };
  script = [answer(200, SENT), answer(204), answer(204), answer(200, policy), refuse('wrong-password')];
  const client = createClient({ endpoint, accessToken: () => 'a-token' });

  assert.deepEqual(await client.resetPassword(RESET), SENT);
  assert.equal(await client.confirmResetPassword(CONFIRM), undefined);
  assert.equal(await client.updatePassword(UPDATE), undefined);
  assert.deepEqual(await client.getPasswordPolicy(), policy);
  await assert.rejects(client.updatePassword(UPDATE), { type: `${URN}wrong-password` });

  assert.deepEqual(
    requests.map(({ body }) => body),
    [RESET, CONFIRM, UPDATE, null, UPDATE],
  );
});

test('createClient() refuses what configure() refuses, and leaves its configuration alone', async () => {
  script = [answer(200, SENT)];
  assert.throws(() => createClient({ endpoint: 'http://a.example' }), { type: `${URN}not-configured` });
  createClient({ endpoint: 'https://a.example' });

  await resetPassword(RESET);

  assert.equal(requests[0].url, '/v1/reset-password');
});

test('an update by nobody fails as with Amplify, without a request', async () => {
  script = [answer(204)];
  for (const accessToken of [undefined, () => undefined, async () => null, () => '']) {
    configure({ endpoint, accessToken });
    await assert.rejects(updatePassword(UPDATE), {
      name: 'UserUnAuthenticatedException',
      type: problem('not-signed-in').type,
      recoverySuggestion: 'Sign in before calling this API again.',
    });
  }
  assert.equal(requests.length, 0);
});

test('an empty update by nobody is the same problem as that of the service', async () => {
  configure({ endpoint });
  const { type, code: name, message } = problem('update-password-missing');

  for (const empty of [{ ...UPDATE, oldPassword: '' }, { ...UPDATE, newPassword: '' }]) {
    await assert.rejects(updatePassword(empty), { type, name, message });
  }
  assert.equal(requests.length, 0);
});

for (const [what, oldPassword, sent] of [
  ['is left out', undefined, {}],
  ['is empty', '', { oldPassword: '' }],
  ['is null', null, { oldPassword: null }],
]) {
  test(`an old password that ${what} is left to the service`, async () => {
    script = [refuse('update-password-missing')];
    const { newPassword } = UPDATE;

    const error = await outcome(() => updatePassword({ oldPassword, newPassword }));

    assert.equal(error.name, 'EmptyUpdatePassword');
    assert.deepEqual(requests[0].body, { ...sent, newPassword });
  });
}

/** A token with these claims, as far as a client can tell. */
const token = (claims) =>
  `header.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
const SCOPE = 'aws.cognito.signin.user.admin';
const ACCESS = { token_use: 'access', scope: SCOPE };
const USELESS = {
  'wrong-token': [{ token_use: 'id', scope: SCOPE }, { scope: SCOPE }, {}, []],
  'scope-missing': [{}, { scope: '' }, { scope: 'openid' }, { scope: `${SCOPE}s` }, { scope: 5 }].map(
    (claims) => ({ token_use: 'access', ...claims }),
  ),
};
for (const [slug, all] of Object.entries(USELESS)) {
  for (const claims of all) {
    test(`a token with ${JSON.stringify(claims)} is a ${slug}, and is neither sent nor shown`, async () => {
      script = [answer(204)];
      const sent = token({ ...claims, sub: 'a-subject', username: 'a-name' });
      configure({ endpoint, accessToken: () => sent });

      const error = await outcome(CALLS.updatePassword);

      assert.equal(error.type, problem(slug).type);
      assert.match(error.recoverySuggestion, /access token|scope/);
      assert.equal(requests.length, 0);
      const shown = inspect(error, { depth: Infinity }) + JSON.stringify(error);
      assert.ok(![sent, ...sent.split('.'), 'a-subject', 'a-name'].some((one) => shown.includes(one)));
    });
  }
}

for (const sent of [
  ...[ACCESS, { ...ACCESS, scope: `openid ${SCOPE} email` }, { ...ACCESS, username: 'Zoë 🔑 ñ?>' }].map(token),
  ...['a-token', 'a.b.c', '..', token(null), token(5), token('text'), 'header.%%%.signature'],
]) {
  test(`the token ${sent} is left to the service`, async () => {
    script = [answer(204)];
    configure({ endpoint, accessToken: () => sent });

    await updatePassword(UPDATE);

    assert.equal(requests[0].headers.authorization, `Bearer ${sent}`);
  });
}

test('a token source that fails does so in its own name', async () => {
  const expired = Object.assign(new Error('expired'), { name: 'TokenRefreshException' });
  configure({ endpoint, accessToken: () => Promise.reject(expired) });

  await assert.rejects(updatePassword(UPDATE), expired);
});

test('there are problems to compare with', () => assert.ok(PROBLEMS.length > 20));

for (const document of PROBLEMS) {
  test(`an error has what ${document.type} says`, async () => {
    script = [answer(document.status, document)];

    const error = await outcome(CALLS.resetPassword);

    assert.equal(error.name, document.code);
    for (const member of ['type', 'status', 'message', 'recoverySuggestion', 'requestId']) {
      assert.ok(document[member]);
      assert.equal(error[member], document[member]);
    }
    assert.equal(error.errors, undefined);
    assert.equal(requests.length, 1);
  });
}

test('problems with one name differ by their type', async () => {
  const [one, other] = ['wrong-password', 'account-not-allowed'].map(problem);
  assert.equal(one.code, other.code);

  for (const document of [one, other]) {
    script = [answer(document.status, document)];
    assert.equal((await outcome(CALLS.updatePassword)).type, document.type);
  }
});

test('an error lists what is wrong with each member, with the numbers of the rules', async () => {
  const errors = [
    {
      pointer: '#/newPassword',
      rule: 'minLength',
      detail: 'The password must have at least 15 characters.',
      params: { minimum: 15 },
    },
    { pointer: '#/newPassword', rule: 'sameAsOld', detail: 'The password must differ.' },
  ];
  script = [answer(400, { ...problem('password-refused'), errors })];

  assert.deepEqual((await outcome(CALLS.confirmResetPassword)).errors, errors);
});

test('entries of errors that no form could show are left out', async () => {
  const good = { pointer: '#/a', rule: 'minLength', detail: 'Too short.', params: { minimum: 15 } };
  const without = ({ ...error }, name) => (delete error[name], error);
  const bad = [null, 5, 'text', {}, { ...good, params: null }, { ...good, params: 'x' }].concat(
    ['pointer', 'rule', 'detail'].map((name) => without(good, name)),
  );
  for (const [errors, expected] of [
    ['text', undefined],
    [{}, undefined],
    [5, undefined],
    [[...bad, good], [good]],
  ]) {
    script = [answer(400, { ...problem('password-refused'), errors })];

    const error = await outcome(CALLS.confirmResetPassword);

    assert.deepEqual(error.errors, expected);
    assert.ok(localize(error, read('de.json')).message);
  }
});

const FOLDER = new URL('../../web/languages/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, FOLDER)));

for (const file of readdirSync(FOLDER)) {
  test(`${file}: an error says everything in this language, by type, rule and params alone`, () => {
    const { problems, rules } = read(file);
    const errors = Object.entries(rules).map(([rule, sentence]) => {
      const params = Object.fromEntries([...sentence.matchAll(/\w+(?=})/g)].map(([name]) => [name, 15]));
      return { pointer: '#/a', rule, detail: '', params };
    });

    // Where a language has no words, users read English, and tests/unit names what is missing.
    for (const { type } of PROBLEMS.filter((one) => problems[one.type.slice(URN.length)])) {
      const error = new AuthError({ type, name: 'Name', message: '', status: 400, errors });
      const { errors: told, metadata, ...rest } = localize(error, { problems, rules });

      const { detail, recoverySuggestion } = problems[type.slice(URN.length)];
      const { name, status } = error;
      assert.deepEqual(metadata, error.metadata);
      assert.deepEqual(
        JSON.parse(JSON.stringify(rest)),
        { type, name, status, message: detail, recoverySuggestion },
      );
      assert.ok(told.every((one) => one.detail && !/[{}]/.test(one.detail)));
      assert.match(told.find(({ rule }) => rule === 'minLength').detail, /15/);
      assert.ok(error.errors.every((one) => one.detail === ''));
    }
  });
}

for (const file of readdirSync(FOLDER)) {
  test(`${file}: a change without a response says that it may have worked`, async () => {
    const catalogue = read(file);
    for (const [step, slug] of [[hangUp, 'network-error'], [page(500), 'unexpected-response']]) {
      script = [step];
      const [reset, ...changes] = await Promise.all(Object.values(CALLS).map(outcome));

      const { problems } = catalogue;
      assert.equal(reset.type, `${URN}${slug}`);
      assert.equal(localize(reset, catalogue).recoverySuggestion, problems[slug].recoverySuggestion);
      for (const error of changes) {
        const { type, recoverySuggestion } = localize(error, catalogue);
        assert.equal(type, reset.type);
        assert.equal(recoverySuggestion, problems[`${slug}-of-change`].recoverySuggestion);
        assert.notEqual(recoverySuggestion, problems[slug].recoverySuggestion);
        assert.match(error.recoverySuggestion, /may have been changed.*sign in with the new/);
      }
    }
  });
}

const OF_EVERY_OBJECT = Object.getOwnPropertyNames(Object.prototype);

test('no name that every object has is taken for a sentence, a number or a rule', () => {
  const detail = 'From the service.';
  const holes = Object.fromEntries(OF_EVERY_OBJECT.map((name) => [`of ${name}`, `{${name}}`]));
  const rules = [...OF_EVERY_OBJECT, ...Object.keys(holes)];
  const errors = rules.map((rule) => ({ pointer: '#/a', rule, detail, params: {} }));

  for (const slug of OF_EVERY_OBJECT) {
    const error = new AuthError({ type: `${URN}${slug}`, name: 'A', message: detail, errors });
    const told = localize(error, { problems: {}, rules: holes });

    assert.deepEqual([told.message, told.errors], [detail, errors]);
  }
  assert.deepEqual(validatePassword({ rules: errors }, 'a quiet harbour'), []);
});

test('a sentence has the part of a name as it is', () => {
  const [rule, part] = ['containsUsername', "{part}$&$'<b>"];
  const errors = [{ pointer: '#/newPassword', rule, detail: 'English.', params: { part } }];
  const error = new AuthError({ type: `${URN}password-refused`, name: '', message: '', errors });

  for (const file of readdirSync(FOLDER)) {
    const [{ detail }] = localize(error, read(file)).errors;
    assert.equal(detail, read(file).rules[rule].split('{part}').join(part));
  }
});

test('what a catalogue lacks stays as it is', () => {
  const errors = [
    { pointer: '#/a', rule: 'minLength', detail: 'No number.' },
    { pointer: '#/a', rule: 'brandNew', detail: 'A new rule.' },
  ];
  const error = new AuthError({
    type: `${URN}brand-new`,
    name: 'BrandNewException',
    message: 'A new problem.',
    recoverySuggestion: 'Try another.',
    errors,
  });

  const told = localize(error, read('de.json'));

  const { message, recoverySuggestion } = error;
  assert.deepEqual(
    { message: told.message, recoverySuggestion: told.recoverySuggestion, errors: told.errors },
    { message, recoverySuggestion, errors },
  );
});

test('an error has the status and the request ID where Amplify has them, too', async () => {
  script = [refuse('wrong-password')];
  const { metadata, status, requestId } = await outcome(CALLS.updatePassword);
  assert.deepEqual(metadata, { httpStatusCode: status, requestId });
  assert.ok(status && requestId);

  script = [page(502)];
  const { metadata: ofPage } = await outcome(CALLS.resetPassword);
  assert.deepEqual(ofPage, { httpStatusCode: 502, requestId: undefined });

  script = [hangUp];
  assert.equal((await outcome(CALLS.resetPassword)).metadata, undefined);
});

test('whatever is caught, localize() returns what it says', () => {
  const german = read('de.json');
  const unknown = german.problems['unexpected-response'].detail;
  const trap = { get message() { throw new Error('a trap'); } };
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  for (const [caught, message] of [
    [new TypeError('Of a library.'), 'Of a library.'],
    [{ message: 'No class.' }, 'No class.'],
    [{ message: 5, type: 5, errors: [null, 5, { rule: Symbol('a') }] }, '5'],
    ['a text', 'a text'],
    [404, '404'],
    [Symbol('a'), 'Symbol(a)'],
    [new Error(''), unknown],
    ...[undefined, null, '', {}, []].map((nothing) => [nothing, unknown]),
  ]) {
    const told = localize(caught, german);
    assert.equal(told.message, message);
    assert.equal(typeof told.name, 'string');
  }
  for (const caught of [trap, proxy, Object.create(null), { message: Object.create(null) }]) {
    assert.ok(localize(caught, german).message);
  }
});

test('whatever the catalogue is, localize() returns what it can', () => {
  const detail = 'English.';
  const errors = [{ pointer: '#/a', rule: 'minLength', detail, params: { minimum: 15 } }];
  const error = new AuthError({ type: `${URN}code-refused`, name: 'A', message: detail, errors });
  const parts = [undefined, null, 5, 'text', {}, [], { minLength: null }, { 'code-refused': null }];
  const catalogues = [...parts, ...parts.map((rules) => ({ problems: rules, rules }))];

  for (const catalogue of catalogues) {
    const told = localize(error, catalogue);
    assert.deepEqual([told.message, told.errors], [detail, errors]);
    assert.equal(localize(undefined, catalogue).message, 'An unknown error has occurred.');
  }
});

test('the English catalogue has the words of the client itself', async () => {
  for (const step of [hangUp, page(500)]) {
    script = [step];
    const { type, message, recoverySuggestion } = await outcome(CALLS.resetPassword);

    const words = read('en.json').problems[type.slice(URN.length)];
    assert.deepEqual(words, { detail: message, recoverySuggestion });
  }
});

const GARBAGE = {
  'a page of a proxy': answer(403, '<html>secret</html>', { 'Content-Type': 'text/html' }),
  'a message of a gateway': answer(403, { message: 'Forbidden' }),
  'a code that is no name': answer(400, { type: `${URN}invalid-request`, code: 7 }),
  'a problem of another service': answer(400, { type: 'about:blank', code: 'BadRequest' }),
  'a problem without a type': answer(400, { code: 'InvalidParameterException' }),
  'nothing': answer(400),
  'null': answer(400, 'null'),
  'a success that is a page': answer(200, '<html>Log in to this network</html>'),
  'a success that is another document': answer(200, { ok: true }),
};
for (const [what, garbage] of Object.entries(GARBAGE)) {
  for (const [name, call] of Object.entries(CALLS)) {
    test(`${name}: ${what} is unknown, and never a success`, async () => {
      script = [garbage];

      const error = await outcome(call);

      assert.equal(error.name, 'Unknown');
      assert.equal(error.type, `${URN}unexpected-response`);
      assert.equal(error.message, 'An unknown error has occurred.');
      assert.ok(error.status >= 200);
      assert.equal(requests.length, 1);
    });
  }
}

test('resetPassword: a success without a body is unknown', async () => {
  script = [answer(204)];

  assert.equal((await outcome(CALLS.resetPassword)).name, 'Unknown');
});

test('a request that is not answered within the timeout fails as with Amplify', async (context) => {
  // A server of its own, because the request may reach it after the test.
  const silent = createServer(() => {});
  await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
  context.after(() => silent.close().closeAllConnections());
  configure({ endpoint: `http://127.0.0.1:${silent.address().port}`, timeout: 10 });

  const { name, message } = await outcome(CALLS.resetPassword);

  assert.deepEqual([name, message], ['TimeoutError', 'Request timeout after 10ms']);
});

const UNANSWERED = {
  'a time-out': [hang, 'TimeoutError', 'outcome-unknown'],
  'a closed connection': [hangUp, 'NetworkError', 'network-error'],
  'an answer that breaks off': [breakOff, 'NetworkError', 'network-error'],
  'a page of a proxy that failed': [page(502), 'Unknown', 'unexpected-response'],
  'a page of a proxy that is busy': [page(503), 'Unknown', 'unexpected-response'],
  'a page of a proxy that waited': [page(504), 'Unknown', 'unexpected-response'],
  'a part of the service that could not be reached': [
    refuse('service-unavailable'),
    'InternalErrorException',
    'service-unavailable',
  ],
  'a part of the service that stopped': [
    refuse('function-stopped'),
    'InternalErrorException',
    'function-stopped',
  ],
};
for (const [what, [failure, expected, slug]] of Object.entries(UNANSWERED)) {
  test(`resetPassword: ${what} is told and not repeated, since a code may have been sent`, async () => {
    script = [failure];

    const { name, type } = await outcome(CALLS.resetPassword);

    assert.deepEqual([name, type], [expected, `${URN}${slug}`]);
    assert.equal(requests.length, 1);
  });

  for (const name of KEYED) {
    test(`${name}: ${what} is repeated under the same key`, async () => {
      script = [failure, failure, answer(204)];

      assert.equal(await outcome(CALLS[name]), undefined);
      const keys = requests.map(({ headers }) => headers['idempotency-key']);
      assert.equal(keys.length, 3);
      assert.match(keys[0], /^[0-9a-f-]{36}$/);
      assert.equal(new Set(keys).size, 1);
      assert.deepEqual(requests[2].body, requests[0].body);
    });

    test(`${name}: ${what} each time is told in the end`, async () => {
      script = [failure];

      const error = await outcome(CALLS[name]);

      assert.deepEqual([error.name, error.type], [expected, `${URN}${slug}`]);
      assert.equal(requests.length, 3);
    });
  }
}

/** Two tokens of one user, and one of another. */
const [TOKEN, NEWER, OTHER] = [{ sub: 'ada' }, { sub: 'ada', iat: 5 }, { sub: 'eve' }].map(
  (claims) => token({ ...ACCESS, ...claims }),
);
const UPDATE_BY = (token, input = UPDATE) => {
  configure({ endpoint, accessToken: () => token });
  return updatePassword(input);
};
const OTHER_INPUTS = {
  confirmResetPassword: [
    ...[{ username: 'eve@example.com' }, { newPassword: 'another' }, { confirmationCode: '654321' }],
    { options: { clientMetadata: { a: 'b' } } },
  ].map((values) => () => confirmResetPassword({ ...CONFIRM, ...values })),
  updatePassword: [
    ...[{ oldPassword: 'another' }, { newPassword: 'another' }, { options: { globalSignOut: true } }].map(
      (values) => () => updatePassword({ ...UPDATE, ...values }),
    ),
    () => UPDATE_BY(TOKEN),
    () => UPDATE_BY(OTHER),
  ],
};
const LEFT_OPEN = [hangUp, hang, page(403), page(500)].concat(
  ['request-in-progress', 'too-many-requests', 'service-unavailable', 'function-stopped']
    .concat('internal-error', 'not-signed-in', 'wrong-token', 'scope-missing', 'request-blocked')
    .map((slug) => refuse(slug)),
);
const DEFINITE = ['code-mismatch', 'wrong-password', 'password-refused', 'outcome-unknown'];

/** Call once, and return the one key that its requests had. */
async function keyOf(call, ...steps) {
  script = steps;
  requests = [];
  await outcome(call);
  const [key, ...others] = new Set(requests.map(({ headers }) => headers['idempotency-key']));
  assert.deepEqual(others, []);
  return key;
}

for (const name of KEYED) {
  test(`${name}: after an answer that leaves its outcome open, the same call has the same key`, async () => {
    for (const step of LEFT_OPEN) {
      const key = await keyOf(CALLS[name], step);

      for (const other of OTHER_INPUTS[name]) {
        assert.notEqual(await keyOf(other, answer(204)), key);
      }
      configure({ endpoint, accessToken: () => 'a-token' });
      assert.equal(await keyOf(CALLS[name], answer(204)), key);
      assert.notEqual(await keyOf(CALLS[name], answer(204)), key);
    }
  });

  test(`${name}: after a definite answer, the same call has another key`, async () => {
    for (const slug of DEFINITE) {
      const key = await keyOf(CALLS[name], refuse(slug));

      assert.notEqual(await keyOf(CALLS[name], answer(204)), key);
    }
  });

  test(`${name}: after an hour, the same call has another key`, async (context) => {
    context.mock.timers.enable({ apis: ['Date'] });
    const key = await keyOf(CALLS[name], hangUp);
    context.mock.timers.tick(3_600_000);
    assert.equal(await keyOf(CALLS[name], hangUp), key);
    context.mock.timers.tick(1);

    assert.notEqual(await keyOf(CALLS[name], answer(204)), key);
  });

  for (const [what, crypto] of Object.entries({
    'a page that came over http://': { getRandomValues: (bytes) => webcrypto.getRandomValues(bytes) },
    'React Native': undefined,
  })) {
    test(`${name}: a call from ${what} has a key, too`, async (context) => {
      const real = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
      context.after(() => Object.defineProperty(globalThis, 'crypto', real));
      Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true });

      const key = await keyOf(CALLS[name], hangUp);

      assert.match(key, /^[0-9a-f]{36}$/);
      assert.equal(await keyOf(CALLS[name], answer(204)), key);
      assert.notEqual(await keyOf(CALLS[name], answer(204)), key);
    });
  }
}

test('an update with a newer token of the same user has the same key', async () => {
  const key = await keyOf(() => UPDATE_BY(TOKEN), hangUp);

  assert.equal(await keyOf(() => UPDATE_BY(NEWER), answer(204)), key);
});

for (const name of KEYED) {
  test(`${name}: another call has another key`, async () => {
    script = [answer(204)];

    await CALLS[name]();
    await CALLS[name]();

    assert.equal(new Set(requests.map(({ headers }) => headers['idempotency-key'])).size, 2);
  });

  test(`${name}: a request in progress is asked for until its answer is there`, async () => {
    const running = refuse('request-in-progress');
    script = [running, running, running, running, running, answer(204)];

    assert.equal(await outcome(CALLS[name]), undefined);
    assert.equal(requests.length, 6);
  });

  test(`${name}: reasons for a repeat are counted apart`, async () => {
    const running = refuse('request-in-progress');
    const throttled = refuse('too-many-requests', { 'Retry-After': '1' });
    const lost = answer(502, 'a page');
    script = [lost, running, lost, throttled, running, answer(204)];

    assert.equal(await outcome(CALLS[name]), undefined);
    assert.equal(requests.length, 6);
  });

  test(`${name}: a request that stays in progress is told in the end`, async () => {
    script = [refuse('request-in-progress')];

    assert.equal((await outcome(CALLS[name])).name, 'RequestInProgressException');
    assert.equal(requests.length, 6);
  });

  for (const slug of [
    'code-mismatch',
    'wrong-password',
    'internal-error',
    'trigger-failed',
    'outcome-unknown',
  ]) {
    test(`${name}: the answer ${slug} is not repeated`, async () => {
      script = [refuse(slug), answer(204)];

      assert.equal((await outcome(CALLS[name])).type, `${URN}${slug}`);
      assert.equal(requests.length, 1);
    });
  }
}

for (const [name, call] of Object.entries(CALLS)) {
  const success = name === 'resetPassword' ? answer(200, SENT) : answer(204);

  test(`${name}: a double tap is one request, and both get its outcome`, async () => {
    for (const step of [success, refuse('code-mismatch')]) {
      script = [step];
      requests = [];

      const [first, second] = await Promise.all([outcome(call), outcome(call)]);

      assert.equal(requests.length, 1);
      assert.deepEqual(first, second);
      await outcome(call);
      assert.equal(requests.length, 2);
    }
  });

  test(`${name}: a throttle of seconds is waited for`, async () => {
    script = [refuse('too-many-requests', { 'Retry-After': '5' }), success];

    assert.ok(!((await outcome(call)) instanceof AuthError));
    assert.equal(requests.length, 2);
  });

  test(`${name}: a date that has passed is waited for no longer`, async () => {
    const header = 'Wed, 21 Oct 2015 07:28:00 GMT';
    script = [refuse('too-many-requests', { 'Retry-After': header }), success];

    assert.ok(!((await outcome(call)) instanceof AuthError));
    assert.equal(requests.length, 2);
  });

  test(`${name}: a throttle that stays is told in the end`, async () => {
    script = [refuse('too-many-requests', { 'Retry-After': '1' })];

    assert.equal((await outcome(call)).name, 'TooManyRequestsException');
    assert.equal(requests.length, 2);
  });

  for (const [header, seconds] of [
    ['6', 6],
    ['3600', 3600],
    ['', undefined],
    ['soon', undefined],
    ['Soon, GMT', undefined],
    ['Wed, 21 Oct 2015 08:28:00 GMT', 3600],
  ]) {
    test(`${name}: a limit with Retry-After "${header}" is told at once`, async (context) => {
      const now = Date.parse('Wed, 21 Oct 2015 07:28:00 GMT');
      context.mock.timers.enable({ apis: ['Date'], now });
      script = [refuse('attempts-exceeded', { 'Retry-After': header }), success];

      const error = await outcome(call);

      assert.equal(error.name, 'LimitExceededException');
      assert.equal(error.retryAfter, seconds);
      assert.equal(requests.length, 1);
    });
  }

  test(`${name}: passwords do not follow a redirection`, async () => {
    const elsewhere = (response) => response.writeHead(307, { Location: '/elsewhere' }).end();
    script = [elsewhere];

    assert.equal((await outcome(call)).name, 'NetworkError');
    assert.ok(requests.every(({ url }) => url !== '/elsewhere'));
  });

  test(`${name}: a server that is not there is a network error`, async () => {
    configure({ endpoint: 'http://127.0.0.1:1', accessToken: () => 'a-token' });

    const error = await outcome(call);

    assert.equal(error.name, 'NetworkError');
    assert.ok(error.underlyingError instanceof TypeError);
    assert.equal(error.status, undefined);
  });
}
