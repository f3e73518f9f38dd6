// Folds names and codes as the client does, for `test_client.py`.

import { text } from 'node:stream/consumers';

import { foldConfirmationCode, foldUsername } from '../../web/password-service.js';

const [names, codes] = JSON.parse(await text(process.stdin));
console.log(JSON.stringify([names.map(foldUsername), codes.map(foldConfirmationCode)]));
