/**
 * Return a function of the client whose errors say everything in `message`, because that is all
 * that Amplify's screens show.
 *
 * @template Input, Output
 * @param {(input: Input) => Promise<Output>} call
 */
export function explained(call) {
  return (/** @type {Input} */ input) =>
    call(input).catch((error) => {
      const details = error.errors?.map((/** @type {{ detail: string }} */ { detail }) => detail);
      const sentences = [error.message, ...(details ?? []), error.recoverySuggestion];
      error.message = sentences.filter(Boolean).join(' ');
      throw error;
    });
}
