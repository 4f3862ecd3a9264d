/**
 * RoomLog, watched for deletes: passes every call on as it is, and tells of entries that delete another one, once their append has come
 * to an outcome, whatever that is.
 *
 * Guarantees: the caller gets the promise of the log itself.
 */
import type { RoomId } from '../ids.ts';
import type { RoomLog } from './room-log.ts';

export function deletesWatched(log: RoomLog, onDelete: (room: RoomId, target: number) => void): RoomLog {
  return {
    append(room, after, entries) {
      const result = log.append(room, after, entries);
      for (const { kind, target } of entries) {
        if (kind !== 'delete' || target === undefined) continue;
        result.then(
          () => onDelete(room, target),
          () => {}, // A bug's rejection is the caller's.
        );
      }
      return result;
    },
    read: log.read.bind(log),
    at: log.at.bind(log),
    heads: log.heads.bind(log),
    lastMessages: log.lastMessages.bind(log),
    byCid: log.byCid.bind(log),
    controls: log.controls.bind(log),
    byTarget: log.byTarget.bind(log),
    messages: log.messages.bind(log),
    tail: log.tail.bind(log),
    get isTailLive() {
      return log.isTailLive;
    },
  };
}
