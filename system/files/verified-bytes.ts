/**
 * VerifiedBytes: passes bytes on and holds the last part back until the SHA-256 of all of them is the one expected.
 *
 * Guarantees: a reader that counts never takes damaged bytes for the whole file: the stream fails before they are complete.
 */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { Fault } from '../errors.ts';
import type { StoredFile } from './file-store.ts';

export function verifiedBytes({ id, sha256, bytes }: StoredFile): Transform {
  const hash = createHash('sha256');
  let held: Buffer | undefined;
  let count = 0;
  const verified = new Transform({
    transform(part: Buffer, _encoding, done: TransformCallback) {
      hash.update(part);
      count += part.length;
      const before = held;
      held = part;
      done(null, before);
    },
    flush(done: TransformCallback) {
      if (count === bytes && hash.digest('base64url') === sha256) done(null, held);
      else done(new Fault('FILE_CORRUPT', `file ${id} does not verify`));
    },
  });
  verified.on('error', () => {}); // Nobody may be reading any more.
  return verified;
}
