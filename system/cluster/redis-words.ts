/**
 * Redis words: what went wrong with Redis, for operators. Completes the sentence "Redis …".
 *
 * Guarantees: nothing of a driver's or server's message is passed on but a code of capital letters: messages quote commands, and
 * so keys, values and passwords.
 */

const codeOf = (message: string): string | undefined => /^([A-Z][A-Z0-9]{2,20})(?: |$)/.exec(message)?.[1];

/** The server answered, and its answer is an error. */
export const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError';

export function redisWords(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const { message } = error;
  const code = codeOf(message);
  if (code === 'WRONGPASS' || code === 'NOAUTH' || /invalid (?:username-)?password/i.test(message))
    return 'refuses the name or password in CHAT_REDIS_URL';
  if (code === 'NOPERM') return 'does not permit a command; look at the ACL of its user';
  if (code !== undefined) return `answers ${code}`;
  if (/timed out|ETIMEDOUT/.test(message)) return 'does not answer in time';
  const { code: system } = error as { readonly code?: unknown };
  return typeof system === 'string' && /^E[A-Z]+$/.test(system) ? `cannot be reached (${system})` : 'is not connected';
}
