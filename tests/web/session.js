// What a program for Amplify begins with: signed in at the emulator, by the public client.

import { Amplify } from 'aws-amplify';
import { signIn } from 'aws-amplify/auth';

const { url, endpoint, userPoolId, publicClientId, username, password } = JSON.parse(
  process.env.SESSION,
);

Amplify.configure({
  Auth: { Cognito: { userPoolId, userPoolClientId: publicClientId, userPoolEndpoint: endpoint } },
  API: { REST: { passwords: { endpoint: url } } },
});

export const { isSignedIn } = await signIn({ username, password });
