// Amplify's own screens; the password service resets the passwords.

import { Authenticator } from '@aws-amplify/ui-react';
import '@aws-amplify/ui-react/styles.css';
import { Amplify } from 'aws-amplify';
import { fetchAuthSession } from 'aws-amplify/auth';
import { createRoot } from 'react-dom/client';

import { configure, confirmResetPassword, resetPassword } from '../../web/password-service.js';
import { ChangePassword } from './ChangePassword.jsx';
import { explained } from './explained.js';

// See README.md: the stack's output `ApiUrl`, and the pool as `Amplify.configure` wants it.
const { endpoint, cognito } = await (await fetch('config.json')).json();
Amplify.configure({ Auth: { Cognito: cognito } });
configure({
  endpoint,
  accessToken: async () => (await fetchAuthSession()).tokens?.accessToken.toString(),
});

// Cast, because Amplify declares a second signature, for servers, which its screens do not call.
const services = /** @type {import('@aws-amplify/ui-react').AuthenticatorProps['services']} */ ({
  handleForgotPassword: explained(resetPassword),
  handleForgotPasswordSubmit: explained(confirmResetPassword),
});
const root = /** @type {HTMLElement} */ (document.getElementById('root'));
createRoot(root).render(
  <Authenticator hideSignUp loginMechanisms={['email']} services={services}>
    {({ signOut, user }) => (
      <main>
        <p>You are signed in as {user?.signInDetails?.loginId}.</p>
        <ChangePassword />
        <button onClick={signOut}>Sign out</button>
      </main>
    )}
  </Authenticator>,
);
