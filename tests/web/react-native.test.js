// The CommonJS version of the client in a context that has only what React Native has.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import vm from 'node:vm';

import ts from 'typescript';

const { COMMON_JS } = process.env;
const NOT_CONFIGURED = 'urn:password-service:not-configured';
const CONFIRM = { username: 'ada@example.com', confirmationCode: '123-456', newPassword: 'a new one' };

/** React Native's class until 0.79: most of it throws. */
class IncompleteUrl {
  constructor(url) {
    this.href = url;
  }
  get protocol() {
    throw new Error('URL.protocol is not implemented');
  }
  get hostname() {
    throw new Error('URL.hostname is not implemented');
  }
  get username() {
    throw new Error('URL.username is not implemented');
  }
}

/** Load the client where there is no `crypto`, `TextEncoder`, `atob`, `location` or `AbortSignal`. */
function load(changes = {}, prepare = '') {
  const globals = { AbortController, URL: IncompleteUrl, clearTimeout, fetch, setTimeout, ...changes };
  const context = vm.createContext({ module: {}, ...globals });
  vm.runInContext(`delete Object.hasOwn; ${prepare}`, context);
  vm.runInContext(COMMON_JS, context);
  return context.module.exports;
}

let endpoint;
let script = [];
let requests = [];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  requests.push({ headers: request.headers, body: JSON.parse(String(Buffer.concat(chunks)) || 'null') });
  script.shift()(response, request);
});
const answer = (status, body) => (response) => response.writeHead(status).end(body && JSON.stringify(body));
const hangUp = (_response, request) => request.socket.destroy();

before(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

test('each function does its work', async () => {
  const nextStep = { resetPasswordStep: 'CONFIRM_RESET_PASSWORD_WITH_CODE', codeDeliveryDetails: {} };
  const sent = { isPasswordReset: false, nextStep };
  const policy = { rules: [{ rule: 'minLength', params: { minimum: 15 } }, { rule: 'edgeSpace' }] };
  const refused = { type: 'urn:password-service:code-refused', code: 'CodeMismatchException', message: 'No.' };
  script = [answer(200, sent), hangUp, answer(204), answer(204), answer(200, policy), answer(400, refused)];
  requests = [];
  const timeout = 60_000;
  // The pauses between retries are shorter, and the time-out is not.
  const client = load({ setTimeout: (act, pause) => setTimeout(act, pause === timeout ? pause : 1) });
  client.configure({ endpoint, timeout, accessToken: () => 'header.payload.signature' });

  // As JSON, because the prototypes of another context differ.
  const plain = (value) => JSON.parse(JSON.stringify(value));
  assert.deepEqual(plain(await client.resetPassword({ username: 'ada@example.com' })), sent);
  await client.confirmResetPassword(CONFIRM);
  await client.updatePassword({ oldPassword: 'an old one', newPassword: 'a new one' });
  const rules = await client.getPasswordPolicy();
  const broken = client.validatePassword(rules, 'short ', { username: 'ada@example.com' });
  const error = await client.confirmResetPassword(CONFIRM).catch((error) => error);

  assert.deepEqual(plain(broken), policy.rules);
  assert.equal(error.name, 'CodeMismatchException');
  assert.equal(client.localize(error, { problems: {}, rules: {} }).message, 'No.');
  const [, first, second] = requests;
  assert.equal(first.headers['idempotency-key'], second.headers['idempotency-key']);
  assert.deepEqual(second.body, { ...CONFIRM, confirmationCode: '123456' });
});

test('a request times out without AbortSignal.timeout', async () => {
  script = [() => {}];
  const client = load();
  client.configure({ endpoint, timeout: 1 });

  await assert.rejects(client.resetPassword({ username: 'ada@example.com' }), { name: 'TimeoutError' });
});

for (const name of ['fetch', 'AbortController']) {
  test(`where there is no ${name}, each call says so`, async () => {
    const client = load({}, `delete globalThis.${name};`).createClient({
      endpoint,
      accessToken: () => 'a-token',
    });

    for (const call of [
      () => client.resetPassword({ username: 'ada' }),
      () => client.confirmResetPassword(CONFIRM),
      () => client.updatePassword({ oldPassword: 'a', newPassword: 'b' }),
      () => client.getPasswordPolicy(),
    ]) {
      await assert.rejects(call(), ({ type, message, recoverySuggestion }) => {
        assert.equal(type, NOT_CONFIGURED);
        assert.equal(message, `This environment lacks ${name}.`);
        assert.match(recoverySuggestion, new RegExp(name));
        return true;
      });
    }
  });
}

test('an engine without Unicode properties loads the client, which says so at once', () => {
  const client = load({}, `
    const Complete = RegExp;
    RegExp = function (pattern, flags) {
      if (/\\\\p/.test(pattern)) throw new SyntaxError('Invalid RegExp: Invalid escape');
      return new Complete(pattern, flags);
    };
  `);
  const lacking = { type: NOT_CONFIGURED, message: /lacks the Unicode properties/ };

  assert.throws(() => client.configure({ endpoint }), lacking);
  assert.throws(() => client.createClient({ endpoint }), lacking);
  assert.throws(() => client.foldUsername('ada'), lacking);
});

test('no literal needs more of regular expressions than each engine has', () => {
  const literals = [];
  const visit = (node) => {
    if (node.kind === ts.SyntaxKind.RegularExpressionLiteral) literals.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('client.js', COMMON_JS, ts.ScriptTarget.Latest));

  assert.ok(literals.length > 5);
  assert.deepEqual(literals.filter((one) => /\\p\{|\(\?<|\/[a-z]*[dsvu][a-z]*$/.test(one)), []);
});
