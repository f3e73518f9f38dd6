export interface Configuration {
  /**
   * The base URL of the API, which is the stack's output `ApiUrl`, or a path of the page's host. It
   * must be https, except on this machine (localhost).
   */
  endpoint: string;
  /** Returns the signed-in user's access token; called for every update. */
  accessToken?: () => string | null | undefined | Promise<string | null | undefined>;
  /** Milliseconds that a request may take, and each retry again: a whole number, by default 30000. */
  timeout?: number;
}

/**
 * What the triggers of the user pool get: at most 10 entries, with names of at most 64 characters and
 * values of at most 200, without control characters such as a newline.
 */
export type ClientMetadata = Record<string, string>;

export type ResetPasswordInput = {
  username: string;
  options?: { clientMetadata?: ClientMetadata };
};

export type ResetPasswordOutput = {
  isPasswordReset: boolean;
  nextStep: {
    resetPasswordStep: 'CONFIRM_RESET_PASSWORD_WITH_CODE' | 'DONE';
    codeDeliveryDetails: {
      destination?: string;
      deliveryMedium?: 'EMAIL' | 'SMS' | 'PHONE' | 'UNKNOWN';
      attributeName?: 'email' | 'phone_number';
    };
  };
};

export type ConfirmResetPasswordInput = {
  username: string;
  newPassword: string;
  confirmationCode: string;
  options?: { clientMetadata?: ClientMetadata };
};

export type UpdatePasswordInput = {
  /**
   * Leave it out only for a user who has no password, for example one who signs in with a passkey.
   * They must have signed in at most five minutes ago, or else they get `sign-in-too-old`.
   */
  oldPassword?: string;
  newPassword: string;
  /** `globalSignOut` ends every session, including the caller's; Amplify has no such option. */
  options?: { globalSignOut?: boolean };
};

/** What a rule's sentence has in braces. */
export type RuleParams = {
  minimum?: number;
  maximum?: number;
  maximumName?: number;
  /** How many earlier passwords are refused. */
  size?: number;
  /** The name, or the part of an address before the `@`, that a refused password contains. */
  part?: string;
};

/** A rule for new passwords. Translate by `rule` and `params`; more rules may be added later. */
export type PasswordRule = {
  rule: string;
  params?: RuleParams & {
    /** None of which a password may contain. */
    words?: string[];
  };
};

export type PasswordPolicy = { rules: PasswordRule[] };

/** What is wrong with one member of the request. */
export type FieldError = {
  /** A URI fragment, for example `#/newPassword`, or the name of a header. */
  pointer: string;
  /** The name of the rule: translate by it and by `params`. */
  rule: string;
  detail: string;
  /** For example `{ minimum: 15 }`; absent if the rule has none. */
  params?: RuleParams;
};

/** The identity of a problem: one type has one meaning. */
export type ProblemType = `urn:password-service:${string}`;

export interface AuthErrorParams {
  type: ProblemType;
  name: string;
  message: string;
  recoverySuggestion?: string;
  underlyingError?: unknown;
  /** The HTTP status; absent if there was no response. */
  status?: number;
  /** Up to 20 of them. */
  errors?: FieldError[];
  /** The ID by which the operator finds the request. */
  requestId?: string;
  /** Seconds to wait before another attempt, from the header `Retry-After`. */
  retryAfter?: number;
  /**
   * True if the service did not respond to a change of the password, which may have worked. Until its
   * outcome is known, the same call gets that of the first, for an hour.
   */
  unansweredChange?: boolean;
}

/**
 * `type` says which problem it is. It ends with a slug of the service's problems, or with
 * `network-error`, `unexpected-response` (not from the service) or `not-configured` (this client is
 * used wrongly, and `message` says how). For a token that cannot work, this client says the service's
 * `wrong-token` or `scope-missing` itself, without a request.
 *
 * `name` is the exception name of Cognito or Amplify, which several problems may share, or
 * `NetworkError`, `TimeoutError` or `Unknown`.
 */
export declare class AuthError extends Error {
  constructor(params: AuthErrorParams);
  readonly type: ProblemType;
  readonly recoverySuggestion?: string;
  readonly underlyingError?: unknown;
  readonly status?: number;
  readonly errors?: FieldError[];
  readonly requestId?: string;
  /** `status` and `requestId` again, where Amplify's errors have them. */
  readonly metadata?: { httpStatusCode?: number; requestId?: string };
  readonly retryAfter?: number;
  readonly unansweredChange?: boolean;
}

/** One of `languages/*.json`: the sentences of a language, by the slug of a problem and by rule. */
export interface Catalogue {
  /** For an `unansweredChange`, the slug ends with `-of-change` where the words differ. */
  problems: Record<string, { detail: string; recoverySuggestion: string }>;
  /** With the `params` of a `FieldError` in braces, for example `{minimum}`. */
  rules: Record<string, string>;
}

/** What any error says. One that is no `AuthError` has no `type`, and stays as it is. */
export type Localized = Partial<AuthErrorParams> & Pick<AuthErrorParams, 'name' | 'message'>;

/**
 * Returns what an error says, in the language of the catalogue; what that lacks stays English. It takes
 * anything that can be caught, and never throws.
 */
export declare function localize(error: AuthError, catalogue: Catalogue): AuthErrorParams;
export declare function localize(error: unknown, catalogue: Catalogue): Localized;

/**
 * Call this once, before any other function. Throws an `AuthError` if a value is wrong, or if the
 * JavaScript engine lacks what this client needs.
 */
export declare function configure(configuration: Configuration): void;

/** The functions that need a configuration, with one of their own. */
export interface Client {
  resetPassword(input: ResetPasswordInput): Promise<ResetPasswordOutput>;
  confirmResetPassword(input: ConfirmResetPasswordInput): Promise<void>;
  updatePassword(input: UpdatePasswordInput): Promise<void>;
  getPasswordPolicy(): Promise<PasswordPolicy>;
}

/**
 * Returns the functions of a client with a configuration of its own, next to that of `configure`: for
 * a server that renders pages for many users, one for each request, so that no user gets the token of
 * another. Throws as `configure` does.
 */
export declare function createClient(configuration: Configuration): Client;

/** Calls with the same input while one is in flight get its outcome, because one code is sent. */
export declare function resetPassword(input: ResetPasswordInput): Promise<ResetPasswordOutput>;

/**
 * Calls with the same input while one is in flight get its outcome. So does a call after an
 * `unansweredChange`, for an hour and as long as the page is open.
 */
export declare function confirmResetPassword(input: ConfirmResetPasswordInput): Promise<void>;

/** The same call again gets the outcome of the first, as with `confirmResetPassword`. */
export declare function updatePassword(input: UpdatePasswordInput): Promise<void>;

/** Browsers keep the policy for five minutes. */
export declare function getPasswordPolicy(): Promise<PasswordPolicy>;

/**
 * Returns the rules that a new password breaks, as far as they can be checked here: all but
 * `breached` and `usedBefore`, and by no other name than `username`. For `containsUsername`, `params`
 * has the `part` that the password contains.
 */
export declare function validatePassword(
  policy: PasswordPolicy,
  password: string,
  user?: { username?: string; oldPassword?: string },
): PasswordRule[];

/**
 * Returns a username as the service reads it: without white space, control characters and invisible
 * characters. Every function here calls it.
 */
export declare function foldUsername(username: string): string;

/**
 * Returns a code as the service reads it: without what a username loses. If only digits, hyphens and
 * dashes are left, it loses the hyphens and dashes, and the digits become those of ASCII.
 */
export declare function foldConfirmationCode(code: string): string;
