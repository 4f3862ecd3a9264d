/**
 * VerifiedBytes: passes bytes on and holds the last part back until their number, and for a whole file its SHA-256, is the one expected.
 *
 * Guarantees: a reader that counts never takes damaged bytes for the whole file: the stream fails before they are complete.
 * Does not: verify a range; the whole file would have to be read for each.
 */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { Fault } from '../errors.ts';
import type { ByteRange, StoredFile } from './file-store.ts';

export function verifiedBytes({ id, sha256, bytes }: StoredFile, { first, last }: ByteRange = { first: 0, last: bytes - 1 }): Transform {
  const expected = last - first + 1;
  const hash = expected === bytes ? createHash('sha256') : undefined;
  let held: Buffer | undefined;
  let count = 0;
  const verified = new Transform({
    transform(part: Buffer, _encoding, done: TransformCallback) {
      hash?.update(part);
      count += part.length;
      const before = held;
      held = part;
      done(null, before);
    },
    flush(done: TransformCallback) {
      if (count === expected && (hash === undefined || hash.digest('base64url') === sha256)) done(null, held);
      else done(new Fault('FILE_CORRUPT', `file ${id} does not verify`));
    },
  });
  verified.on('error', () => {}); // Nobody may be reading any more.
  return verified;
}
