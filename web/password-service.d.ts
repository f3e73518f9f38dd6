export interface Configuration {
  /** The base URL of the API, which is the stack's output `ApiUrl`. */
  endpoint: string;
  /** Gives the access token of who is signed in; asked for at every update. */
  accessToken?: () => string | null | undefined | Promise<string | null | undefined>;
  /** Milliseconds that a request may take, each repeat anew: by default 30000. */
  timeout?: number;
}

export type ResetPasswordInput = {
  username: string;
  options?: { clientMetadata?: Record<string, string> };
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
  options?: { clientMetadata?: Record<string, string> };
};

export type UpdatePasswordInput = {
  oldPassword: string;
  newPassword: string;
  /** `globalSignOut` ends every session, the caller's own too; Amplify has no such option. */
  options?: { globalSignOut?: boolean };
};

/** What is wrong with one member of the request; `pointer` is a URI fragment. */
export type FieldError = { pointer: string; rule: string; detail: string };

export interface AuthErrorParams {
  name: string;
  message: string;
  recoverySuggestion?: string;
  underlyingError?: unknown;
  /** The HTTP status; none if there was no answer. */
  status?: number;
  errors?: FieldError[];
  /** What the operator finds the request by. */
  requestId?: string;
  /** Seconds to wait, at a 429. */
  retryAfter?: number;
}

/**
 * `name` is a code of the service's problems, which are Cognito's and Amplify's, or one of
 * `NetworkError`, `TimeoutError`, `Unknown` (an answer that is not the service's),
 * `UserUnAuthenticatedException` and `AuthUserPoolException` (not configured).
 */
export declare class AuthError extends Error {
  constructor(params: AuthErrorParams);
  readonly recoverySuggestion?: string;
  readonly underlyingError?: unknown;
  readonly status?: number;
  readonly errors?: FieldError[];
  readonly requestId?: string;
  readonly retryAfter?: number;
}

/** To be called once, before any other function. */
export declare function configure(configuration: Configuration): void;

export declare function resetPassword(input: ResetPasswordInput): Promise<ResetPasswordOutput>;

export declare function confirmResetPassword(input: ConfirmResetPasswordInput): Promise<void>;

export declare function updatePassword(input: UpdatePasswordInput): Promise<void>;
