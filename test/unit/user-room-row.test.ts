/**
 * Stored rows of UserRooms: what was written by a version without read marks is read as it was meant.
 */
import { expect, it } from 'vitest';
import { sealValue } from '../../system/store/entry-document.ts';
import { openRow, sealRow, toUserRoom } from '../../system/store/user-room-row.ts';
import { room } from '../support/entries.ts';

const key = 'u!ada!r';

it('a row of before there were read marks is read up to where the user joined', () => {
  const row = openRow(key, sealValue(key, '[0,1,7,5,3]'));
  expect(row && toUserRoom(room('r'), row)).toEqual({ room: 'r', state: 'in', joinedSeq: 5, joinedN: 3, readSeq: 5, readN: 3 });
});

it('a row comes back as it was sealed, and a damaged one as pending, without a mark', () => {
  const row = { pending: false, member: true, seq: 7, joinedSeq: 5, joinedN: 3, readSeq: 9, readN: 6 };
  const sealed = sealRow(key, row);
  expect(openRow(key, sealed)).toEqual(row);
  expect(openRow(key, sealed.replace('9', '8'))).toMatchObject({ pending: true, readSeq: 0, joinedSeq: 0 });
});
