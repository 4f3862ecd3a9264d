/**
 * The contract of Directory as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import type { Directory } from '../../system/directory/directory.ts';
import { room, user } from '../support/entries.ts';

/** Lists of the stage: room 7 of 1 and ada, community 3 of 2; user 1 is in direct/7 and community/3. */
export interface DirectoryFactory {
  open(): Promise<Directory>;
}

export function directoryContract(factory: DirectoryFactory): void {
  const story = (name: string, tell: (directory: Directory) => Promise<void>): void => {
    it(name, async () => {
      const directory = await factory.open();
      try {
        await tell(directory);
      } finally {
        await directory.close();
      }
    });
  };

  story('says who is listed, and that there is no such list', async (directory) => {
    expect(directory.isOutside).toBe(true);
    expect(await directory.roomMembers(room('7'))).toEqual({ type: 'listed', members: new Set(['1', 'ada']) });
    expect(await directory.communityMembers('3')).toEqual({ type: 'listed', members: new Set(['2']) });
    expect(await directory.roomMembers(room('8'))).toEqual({ type: 'nothing' });
    expect(await directory.communityMembers('7')).toEqual({ type: 'nothing' });
    expect(await directory.forget('room', '7')).toBe(true);
    expect(await directory.roomMembers(room('7'))).toEqual({ type: 'listed', members: new Set(['1', 'ada']) });
  });

  story('says which rooms a user has', async (directory) => {
    expect(await directory.roomsOf(user('1'))).toEqual({
      type: 'listed',
      rooms: [
        { kind: 'direct', id: '7' },
        { kind: 'community', id: '3' },
      ],
    });
    expect(await directory.roomsOf(user('9'))).toEqual({ type: 'nothing' });
  });

  story('is unavailable once it is closed', async (directory) => {
    await directory.close();
    expect(await directory.roomMembers(room('7'))).toEqual({ type: 'unavailable' });
    expect(await directory.roomsOf(user('1'))).toEqual({ type: 'unavailable' });
  });
}
