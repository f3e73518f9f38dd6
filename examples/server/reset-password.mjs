// A server of yours that resets a password for its user: Express, a Next.js action, anything in Node.
// Set PASSWORD_SERVICE_URL, and CALLER_SECRET to the secret of the setting `serverCallers`.

/**
 * Ask for a code for a user.
 *
 * @param {string} username as the user typed it
 * @param {string} address of the user: what YOUR proxy saw, never a header that the user can send
 */
export async function resetPassword(username, address) {
  const response = await fetch(`${process.env.PASSWORD_SERVICE_URL}/reset-password`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Caller-Secret': process.env.CALLER_SECRET,
      'Caller-Address': address,
    },
    body: JSON.stringify({ username }),
    signal: AbortSignal.timeout(30_000),
  });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), answer);
  return answer;
}
