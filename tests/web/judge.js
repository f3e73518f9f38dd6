// Judge passwords as they come, a line of JSON each, for `tests/unit/test_password_policy.py`.

import { createInterface } from 'node:readline';

import { validatePassword } from '../../web/password-service.js';

for await (const line of createInterface({ input: process.stdin })) {
  const [policy, password, user] = JSON.parse(line);
  console.log(JSON.stringify(validatePassword(policy, password, user)));
}
