/**
 * HTTP range: which part of a file a GET asks for (RFC 9110, section 14): one range of bytes, if the file is still the one it has a part of.
 *
 * Guarantees: pure; what is not understood, several ranges at once, or a validator that is not this file's very one means the whole file,
 * as the standard has it, never a part of something else.
 */
import type { ByteRange } from '../system/files/file-store.ts';

export interface RangeHeaders {
  readonly range?: string | undefined;
  readonly 'if-range'?: string | string[] | undefined;
}

/** unsatisfiable: no byte of the file is in it. undefined: the whole file. */
export function rangeOf(
  headers: RangeHeaders,
  { bytes, etag }: { readonly bytes: number; readonly etag: string },
): ByteRange | 'unsatisfiable' | undefined {
  const { range, 'if-range': validator } = headers;
  // A date never fits: files have none. Neither does a weak one.
  if (range === undefined || (validator !== undefined && validator !== etag)) return undefined;
  const [, from = '', to = ''] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(range) ?? [];
  if (from === '') return to === '' ? undefined : lastBytes(Number(to), bytes);
  const first = Number(from);
  const last = to === '' ? bytes - 1 : Number(to);
  if (to !== '' && last < first) return undefined;
  return first >= bytes ? 'unsatisfiable' : { first, last: Math.min(last, bytes - 1) };
}

function lastBytes(count: number, bytes: number): ByteRange | 'unsatisfiable' {
  return count === 0 ? 'unsatisfiable' : { first: Math.max(0, bytes - count), last: bytes - 1 };
}
