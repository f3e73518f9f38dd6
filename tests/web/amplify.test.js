// What Amplify's own post() makes of the service's problems, and how often it asks.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import { Amplify } from 'aws-amplify';
import { post } from 'aws-amplify/api';

/** Every problem of the service, as its document: the Python side has them. */
const PROBLEMS = JSON.parse(process.env.PROBLEMS);

let problem;
let requests;

const server = createServer((_request, response) => {
  requests += 1;
  // Without x-amzn-errortype, which no browser shows: what counts is the body.
  response.writeHead(problem.status, { 'Content-Type': 'application/problem+json' });
  response.end(JSON.stringify(problem));
});

function reset(options) {
  const body = { username: 'ada@example.com' };
  return post({ apiName: 'passwords', path: '/reset-password', options: { body, ...options } });
}

before(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${server.address().port}`;
  Amplify.configure({ API: { REST: { passwords: { endpoint } } } });
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  requests = 0;
});

test('there are problems to compare with', () => assert.ok(PROBLEMS.length > 20));

for (const document of PROBLEMS) {
  test(`post() names ${document.type} ${document.code}, asking once`, async () => {
    problem = document;

    const error = await reset({ retryStrategy: { strategy: 'no-retry' } }).response.catch((e) => e);

    assert.equal(error.name, document.code);
    assert.equal(error.message, document.message);
    assert.equal(error.response.statusCode, document.status);
    assert.deepEqual(JSON.parse(error.response.body), document);
    assert.equal(requests, 1);
  });
}

for (const status of [429, 500, 502, 504]) {
  test(`without a retryStrategy post() asks again at a ${status}`, async () => {
    problem = PROBLEMS.find((document) => document.status === status);

    await reset().response.catch((error) => assert.equal(error.name, problem.code));

    assert.ok(requests > 1);
  });
}
