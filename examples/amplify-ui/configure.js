// Print config.json for the stack of `make run`: `node configure.js 4566`.

import { readFileSync } from 'node:fs';

const port = process.argv[2] ?? 4566;
const file = new URL(`../../.local/runs/${port}/stack.json`, import.meta.url);
let stack;
try {
  stack = JSON.parse(readFileSync(file, 'utf8'));
} catch {
  console.error(`No local stack is running on port ${port}: start one with make run.`);
  process.exit(1);
}
const cognito = {
  userPoolId: stack.userPoolId,
  userPoolClientId: stack.publicClientId,
  userPoolEndpoint: stack.endpoint,
};
console.log(JSON.stringify({ endpoint: stack.url, cognito }, null, 2));
