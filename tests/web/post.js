// Sends each request by Amplify's own post(), signed in, and prints the names of what it throws.

import { post } from 'aws-amplify/api';
import { fetchAuthSession } from 'aws-amplify/auth';

import './session.js';

// A browser shows a script no header that CORS does not expose, above all not x-amzn-errortype,
// which on the gateway's own failures has the gateway's names. Node would show it.
const { fetch } = globalThis;
globalThis.fetch = async (...request) => {
  const { status, headers, body } = await fetch(...request);
  return new Response(body, { status, headers: { 'Content-Type': headers.get('Content-Type') } });
};

const token = (await fetchAuthSession()).tokens.accessToken.toString();
const names = [];
for (const { path, body, signedIn } of JSON.parse(process.env.REQUESTS)) {
  const options = {
    body,
    headers: signedIn ? { Authorization: `Bearer ${token}` } : {},
    retryStrategy: { strategy: 'no-retry' },
  };
  const { response } = post({ apiName: 'passwords', path, options });
  names.push(await response.then(() => null, ({ name }) => name));
}
console.log(JSON.stringify(names));
