/**
 * Cause: what a log line says of something that was thrown.
 *
 * Guarantees: never throws; no text that the error quotes, and a bounded length.
 */

/** Characters kept; the rest is cut. */
export const causeCharsMax = 300;
export const stackCharsMax = 3_000;
const nameCharsMax = 256;

export function nameOfCause(cause: unknown): string {
  return cause instanceof Error ? String(cause.name) : `(${typeof cause})`;
}

/**
 * Errors quote what they choked on: `assertNever` prints the value, JSON.parse a piece of the text. So text in double quotes and
 * all from the first brace on is cut, and of the stack only the frames are kept. A thrown value that is no Error is named by type only.
 */
export function describeCause(cause: unknown): { name: string; msg: string; stack: string } {
  try {
    if (!(cause instanceof Error)) return { name: nameOfCause(cause), msg: '', stack: '' };
    const msg = String(cause.message)
      .slice(0, 4 * causeCharsMax)
      .replace(/"[^"]*"?/g, '"…"')
      .replace(/\{.*$/s, '{…}');
    const frames = String(cause.stack ?? '')
      .split('\n')
      .filter((text) => /^ {4}at /.test(text));
    return {
      name: nameOfCause(cause).slice(0, nameCharsMax),
      msg: msg.slice(0, causeCharsMax),
      stack: frames.join('\n').slice(0, stackCharsMax),
    };
  } catch {
    return { name: '(unreadable)', msg: '', stack: '' };
  }
}
