/**
 * Node transitions: who came and who went, also in voice channels, told to other services with what the store says of their rooms. For the state server that
 * stands alone and for the one inside a node. Part of the composition.
 */
import { decidedRooms } from '../actors/room-list.ts';
import { isOwnRoom } from '../actors/voice-rights.ts';
import type { UserId } from './ids.ts';
import { TransitionPublisher, type TransitionPublisherDeps } from './state/transition-publisher.ts';
import type { EntryRef, RoomFacts } from './store/entry.ts';
import type { RoomStore } from './store/room-store.ts';

/** First entries read in one call. */
const factsReadMax = 1_000;

type Rooms = Pick<RoomStore, 'log' | 'userRooms'>;

/** `open`: the store, also one that could not be reached before. */
export function publishTransitions(
  open: () => Promise<Rooms>,
  deps: Omit<TransitionPublisherDeps, 'roomsOf' | 'isOwnRoom'>,
): TransitionPublisher {
  return new TransitionPublisher({
    ...deps,
    roomsOf: async (user) => topicSuffixes(await open(), user as UserId),
    isOwnRoom: async (user, community) => isOwnRoom(await open(), user as UserId, community),
  });
}

/** The user's rooms as other services call them: direct rooms and groups, channels, and the communities of these. */
async function topicSuffixes(rooms: Rooms, user: UserId): Promise<readonly string[]> {
  const rows = await decidedRooms(rooms, user);
  const refs = rows.map(({ room }): EntryRef => ({ room, seq: 1 }));
  const suffixes = new Set<string>();
  for (let from = 0; from < refs.length; from += factsReadMax) {
    const part = refs.slice(from, from + factsReadMax);
    for (const [index, entry] of (await rooms.log.at(part)).entries()) {
      const { room } = part[index] as EntryRef;
      if (entry?.room !== undefined) for (const suffix of suffixesOf(room, entry.room)) suffixes.add(suffix);
    }
  }
  return [...suffixes];
}

function suffixesOf(room: string, { kind, community }: RoomFacts): readonly string[] {
  if (kind !== 'channel') return [`direct/${room}`];
  return community === undefined ? [`group/${room}`] : [`group/${room}`, `community/${community}`];
}
