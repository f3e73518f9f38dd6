// Calls one function of the client, and prints what it returns or throws.

import * as client from '../../web/password-service.js';

const { endpoint, token, name, input } = JSON.parse(process.env.CALL);

client.configure({ endpoint, accessToken: () => token });
const ended = await client[name](input).then(
  (output = null) => ({ output }),
  ({ type, name, message, recoverySuggestion, status, errors }) => ({
    error: { type, name, message, recoverySuggestion, status, errors },
  }),
);
console.log(JSON.stringify(ended));
