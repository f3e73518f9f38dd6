// Change the signed-in user's password. Amplify UI's own form can only call Cognito.

import { Alert, Button, PasswordField } from '@aws-amplify/ui-react';
import { useState } from 'react';

import { updatePassword } from '../../web/password-service.js';
import { explained } from './explained.js';

export function ChangePassword() {
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));

  /** @param {import('react').FormEvent<HTMLFormElement>} event */
  async function submit(event) {
    event.preventDefault();
    const form = event.currentTarget;
    const [oldPassword, newPassword] = [...new FormData(form).values()].map(String);
    try {
      await explained(updatePassword)({ oldPassword, newPassword });
      form.reset();
      setProblem('');
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  }

  return (
    <form onSubmit={submit}>
      <PasswordField label="Current password" name="old" autoComplete="current-password" />
      <PasswordField label="New password" name="new" autoComplete="new-password" />
      <Button type="submit">Change password</Button>
      {problem === '' && <Alert variation="success">The password is changed.</Alert>}
      {problem && <Alert variation="error">{problem}</Alert>}
    </form>
  );
}
