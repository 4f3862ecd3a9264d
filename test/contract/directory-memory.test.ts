/** Directory in memory: the contract, and the built-in one, which says nothing. */
import { describe, expect, it } from 'vitest';
import { createMemoryDirectory } from '../../system/directory/directory-memory.ts';
import { room, user } from '../support/entries.ts';
import { directoryContract } from './directory.contract.ts';

describe('the directory in memory', () => {
  directoryContract({
    open: async () =>
      createMemoryDirectory({
        rooms: new Map([[room('7'), [user('1'), user('ada')]]]),
        communities: new Map([['3', [user('2')]]]),
        users: new Map([
          [
            user('1'),
            [
              { kind: 'direct', id: '7' },
              { kind: 'community', id: '3' },
            ],
          ],
        ]),
      }),
  });
});

describe('the built-in directory', () => {
  it('is none: it says nothing of anybody', async () => {
    const directory = createMemoryDirectory();
    expect([directory.isOutside, directory.description]).toEqual([false, 'none']);
    expect(await directory.roomMembers(room('7'))).toEqual({ type: 'nothing' });
    expect(await directory.roomsOf(user('1'))).toEqual({ type: 'nothing' });
  });
});
