/**
 * RoomStoreEffects: the effects of a room's state that read the store or append to it. Each is answered by exactly one input.
 *
 * Guarantees: what the store answers, and that it cannot, comes back as that input. Rejects only with damage of this room's own log:
 * that is for the supervisor. Does not: retry (the state decides), or know readers.
 */
import { LogCorrupt } from '../system/errors.ts';
import type { RoomId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import type { AppendOutcome, RoomLog } from '../system/store/room-log.ts';
import type { UserRooms } from '../system/store/user-rooms.ts';
import { appendWithMemberships } from './room-appender.ts';
import { readFacts, readRoom } from './room-history.ts';
import type { RoomEffect, RoomInput, StoreEffect } from './room-protocol.ts';
import type { RoomReads } from './room-reads.ts';

const types: ReadonlySet<string> = new Set<StoreEffect['type']>(['load', 'append', 'resolve', 'readFacts', 'catchUp', 'range', 'page']);
export const isStoreEffect = (effect: RoomEffect): effect is StoreEffect => types.has(effect.type);

export interface StoreSide {
  readonly room: RoomId;
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  /** Of this life of the room. */
  readonly reads: RoomReads;
  readonly logger: Logger;
}

export function callStore(effect: StoreEffect, side: StoreSide): Promise<RoomInput> {
  const { result, failed } = begin(effect, side);
  return result.catch((error: unknown) => {
    if (error instanceof LogCorrupt) throw error;
    side.logger.warn({ ev: 'store.failed', room: side.room, cause: String(error) }, 'the store did not answer; the room tries again');
    return failed;
  });
}

interface StoreCall {
  readonly result: Promise<RoomInput>;
  readonly failed: RoomInput;
}

function begin(effect: StoreEffect, { room, log, userRooms, reads, logger }: StoreSide): StoreCall {
  switch (effect.type) {
    case 'load':
      return call(readRoom(log, room), (read) => ({ type: 'loaded', ...read }), { type: 'loadFailed' });
    case 'append': {
      const appended = appendWithMemberships({ log, userRooms, logger }, room, effect.after, effect.entries);
      const unknown = { type: 'appendDone', outcome: 'unknown' } as const;
      return call(appended, (outcome) => ({ type: 'appendDone', outcome: toOutcome(outcome, room, logger) }), unknown);
    }
    case 'resolve': {
      const both = Promise.all([log.read(room, { after: effect.after, limit: effect.limit }), log.byCid(room, effect.ids)]);
      return call(both, ([entries, found]) => ({ type: 'resolved', entries, found }), { type: 'resolveFailed' });
    }
    case 'readFacts':
      return call(readFacts(log, room, effect.targets), (facts) => ({ type: 'factsRead', facts }), { type: 'factsFailed' });
    case 'catchUp': {
      const read = log.read(room, { after: effect.after, limit: effect.limit });
      return call(read, (entries) => ({ type: 'caughtUp', entries }), { type: 'catchUpFailed' });
    }
    case 'range': {
      const { reader } = effect;
      const read = reads.range(effect.after, effect.limit);
      return call(read, (entries) => ({ type: 'rangeRead', reader, entries }), { type: 'rangeFailed', reader });
    }
    case 'page': {
      const { reader } = effect;
      const page = reads.page(effect.upTo, effect.limit);
      const toInput = ({ entries, hasBefore: more }: Awaited<typeof page>): RoomInput => ({ type: 'pageRead', reader, entries, more });
      return call(page, toInput, { type: 'pageFailed', reader });
    }
  }
}

function call<T>(result: Promise<T>, toInput: (value: T) => RoomInput, failed: RoomInput): StoreCall {
  return { result: result.then(toInput), failed };
}

function toOutcome(outcome: AppendOutcome, room: RoomId, logger: Logger): Extract<RoomInput, { type: 'appendDone' }>['outcome'] {
  if (outcome.type === 'rejected') return { rejected: outcome.index, reason: outcome.reason };
  if (outcome.type !== 'unknown') return outcome.type;
  if (outcome.cause instanceof LogCorrupt) throw outcome.cause;
  logger.warn({ ev: 'append.unknown', room, cause: String(outcome.cause) }, 'outcome unknown; the room looks for it in the log');
  return 'unknown';
}
