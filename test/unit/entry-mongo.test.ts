import { describe, expect, it } from 'vitest';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { encodeRow, isSurelySmall } from '../../system/store/entry-mongo.ts';
import { entryBytesMax } from '../../system/store/room-log.ts';

const longest = 'x'.repeat(64);
const entryOf = (text: string): Entry => ({
  seq: Number.MAX_SAFE_INTEGER,
  n: Number.MAX_SAFE_INTEGER,
  kind: 'reply',
  by: longest as UserId,
  name: longest,
  at: Number.MAX_SAFE_INTEGER,
  cid: 'c'.repeat(256) as Cid,
  writer: `${longest}.${longest}`,
  replyTo: Number.MAX_SAFE_INTEGER,
  text,
});
const bytesOf = (entry: Entry): number => Buffer.byteLength(JSON.stringify(encodeRow(longest as RoomId, entry)));

describe('An entry that is surely small', () => {
  it('is not too large, whatever its text is made of', () => {
    for (const unit of ['a', '"', '\\', '\u0000', '\ud800', '€', '\u2028'])
      for (const before of ['', '\ud800'])
        for (let length = 0; isSurelySmall(entryOf(before + unit.repeat(length))); length += 250)
          expect(bytesOf(entryOf(before + unit.repeat(length)))).toBeLessThanOrEqual(entryBytesMax);
  });

  it('is every message of usual length', () => {
    expect(isSurelySmall(entryOf('a'.repeat(500)))).toBe(true);
    expect(isSurelySmall(entryOf('a'.repeat(entryBytesMax)))).toBe(false);
  });

  it('is none with members, facts or a file: those are written out and counted', () => {
    expect(isSurelySmall({ ...entryOf(''), room: { kind: 'group', public: false, members: [] } })).toBe(false);
  });
});
