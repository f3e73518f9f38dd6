// Type-checked and never run: what code that was written for Amplify's functions relies on.

import * as amplify from 'aws-amplify/auth';
import german from '../../web/languages/de.json' with { type: 'json' };
import * as ours from '../../web/password-service.js';

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;

export const inputsAndOutputs: [
  Same<amplify.ResetPasswordInput, ours.ResetPasswordInput>,
  Same<amplify.ResetPasswordOutput, ours.ResetPasswordOutput>,
  Same<amplify.ConfirmResetPasswordInput, ours.ConfirmResetPasswordInput>,
  // A first password needs no old one. Amplify has no such call.
  Same<amplify.UpdatePasswordInput, Required<Pick<ours.UpdatePasswordInput, 'oldPassword'>> & ours.UpdatePasswordInput>,
] = [true, true, true, true];

type Functions = {
  resetPassword(input: amplify.ResetPasswordInput): Promise<amplify.ResetPasswordOutput>;
  confirmResetPassword(input: amplify.ConfirmResetPasswordInput): Promise<void>;
  updatePassword(input: amplify.UpdatePasswordInput): Promise<void>;
};

export const theirs: Functions = amplify;
export const replaced: Functions = ours;
export const inTurn: Pick<typeof ours, 'resetPassword' | 'confirmResetPassword'> = amplify;

export const caught = (error: ours.AuthError): amplify.AuthError => error;
export const told = ({ type, errors }: ours.AuthError): [string, number | undefined] => [
  type,
  errors?.[0]?.params?.minimum,
];
export const translated = (error: ours.AuthError): ours.AuthErrorParams =>
  ours.localize(error, german);
export const met = (error: ours.AuthError): [number?, string?] => [
  error.metadata?.httpStatusCode,
  error.metadata?.requestId,
];
export const instance: Functions & Pick<typeof ours, 'getPasswordPolicy'> = ours.createClient({
  endpoint: '/v1',
});
// @ts-expect-error: what would pass if an instance were of any type
instance.signIn();
export const anything = (caught: unknown): string => ours.localize(caught, german).message;
// @ts-expect-error: an error that is not of the service has no type
export const typeless = (caught: unknown): string => ours.localize(caught, german).type;
// @ts-expect-error: every error has a type
export const untyped = new ours.AuthError({ name: '', message: '' });
// @ts-expect-error: what would pass if a type were any string
export const foreign: ours.AuthError['type'] = 'about:blank';
// @ts-expect-error: what would pass if the numbers of a rule were of any type
export const spelt = ({ params }: ours.FieldError): string | undefined => params?.minimum;
export const named = ({ params }: ours.FieldError): string | undefined => params?.part;

ours.resetPassword({ username: '', options: { clientMetadata: { locale: 'en-GB' } } });
ours.confirmResetPassword({
  username: '',
  newPassword: '',
  confirmationCode: '',
  options: { clientMetadata: { locale: 'en-GB' } },
});
ours.updatePassword({ oldPassword: '', newPassword: '', options: { globalSignOut: true } });
ours.updatePassword({ newPassword: '' });
// @ts-expect-error: only an absent password means that there is none
ours.updatePassword({ oldPassword: null, newPassword: '' });
// @ts-expect-error: what would pass if an output were of any type
ours.resetPassword({ username: '' }).then((output) => output.nextStep.resetPasswordStep * 2);
// @ts-expect-error: as with Amplify, a member is missing
ours.confirmResetPassword({ username: '', newPassword: '' });
// @ts-expect-error: as with Amplify, a value that is no string
ours.resetPassword({ username: '', options: { clientMetadata: { attempt: 1 } } });

ours
  .getPasswordPolicy()
  .then((policy) => ours.validatePassword(policy, '', { username: '', oldPassword: '' }))
  .then((broken): [number?, string?][] =>
    broken.map(({ params }) => [params?.minimum, params?.part]),
  );
// @ts-expect-error: what would pass if a rule were of any type
ours.validatePassword({ rules: [{ name: 'minLength' }] }, '');
