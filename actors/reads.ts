/**
 * Reads: history pages and lists of rooms, for sessions and for HTTP alike.
 *
 * Owns: how many are under way. Each page is up to 100 messages with all their changes in memory, so a crowd that scrolls
 * back at once may not decide how much memory a node needs.
 * Guarantees: an asker has one read of a kind under way; over a bound the answer is BUSY with retryAfterMs; every read is
 * answered once. Does not: judge rights of a page (the room does), or queue.
 */
import { type ActorRef, callbackRef, tell } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import type { Metrics } from '../system/metrics.ts';
import type { Range } from '../system/store/room-log.ts';
import type { Answer, ClientCommand, RoomSummary } from './client-command.ts';
import { ReadGate } from './read-gate-state.ts';
import { type RoomListDeps, readRoomList } from './room-list.ts';
import type { Rooms } from './rooms.ts';

export type ReadCommand = Extract<ClientCommand, { type: 'room.list' | 'history.get' }>;

export interface ReadsDeps extends RoomListDeps {
  readonly rooms: Rooms;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly logger: Logger;
}

/** History pages read at once on this node. More: BUSY. */
export const historyReadsMax = 32;
/** Lists of rooms read at once on this node. More: BUSY. A list is short for most people, and asked for once a connection. */
export const listReadsMax = 128;
const busyRetryAfterMs = 200;
const askDeadlineMs = 15_000;
/** Longer than any command lives: whoever asked has given up. */
const lostAfterMs = 60_000;

/** For whoever is to hear of what grows from a list on. */
export interface ListWatch {
  /** See readRoomList. */
  readonly onRooms: (rooms: readonly RoomId[]) => void;
  /** What was answered. */
  readonly onListed: (rooms: readonly RoomSummary[]) => void;
}

export class Reads {
  private readonly deps: ReadsDeps;
  private readonly histories = new ReadGate({ runningMax: historyReadsMax, lostAfterMs });
  private readonly lists = new ReadGate({ runningMax: listReadsMax, lostAfterMs });
  private refused = 0;

  constructor(deps: ReadsDeps) {
    this.deps = deps;
  }

  /** `asker`: one connection. */
  history(asker: string, user: UserId, room: RoomId, range: Range, replyTo: ActorRef<Answer>): void {
    const answered = this.enter(this.histories, asker, replyTo, `one page at a time on a connection, ${historyReadsMax} on this node`);
    if (!answered) return;
    const refusal = this.deps.rooms.send(room, { type: 'room.history', user, range, replyTo: answered });
    if (refusal) tell(answered, { ok: false, refusal });
  }

  list(asker: string, user: UserId, replyTo: ActorRef<Answer>, watch?: ListWatch): void {
    const answered = this.enter(this.lists, asker, replyTo, `one list at a time on a connection, ${listReadsMax} on this node`);
    if (!answered) return;
    readRoomList(this.deps, user, watch?.onRooms).then(
      (rooms) => {
        tell(answered, { ok: true, result: { type: 'rooms', rooms } });
        watch?.onListed(rooms);
      },
      (error: unknown) => {
        this.deps.logger.warn({ ev: 'list.failed', user, cause: String(error) }, 'a list of rooms could not be read');
        tell(answered, { ok: false, refusal: refuse('STORE_UNAVAILABLE', 'the list could not be read; ask again', 1_000) });
      },
    );
  }

  /** For a user without a connection. Always resolves: an answer may be lost with a room's actor, and nothing else would say so. */
  ask(user: UserId, command: ReadCommand): Promise<Answer> {
    return new Promise((resolve) => {
      const refusal = refuse('STORE_UNAVAILABLE', 'nothing could be read in time; ask again', 1_000);
      const cancel = this.deps.clock.after(askDeadlineMs, () => resolve({ ok: false, refusal }));
      const replyTo = callbackRef<Answer>('reads.asked', (answer) => {
        cancel();
        resolve(answer);
      });
      if (command.type === 'room.list') this.list(user, user, replyTo);
      else this.history(user, user, command.room, command.range, replyTo);
    });
  }

  tell(metrics: Metrics): void {
    metrics.read('playhouse_reads', () => ({ history: this.histories.size, list: this.lists.size }));
    metrics.read('playhouse_reads_refused_total', () => this.refused);
  }

  /** undefined: refused, and answered. Else where the answer goes, which gives the place back. */
  private enter(gate: ReadGate, asker: string, replyTo: ActorRef<Answer>, rule: string): ActorRef<Answer> | undefined {
    const entered = gate.enter(asker, this.deps.clock.nowMs());
    if (typeof entered === 'string') {
      this.refused += 1;
      tell(replyTo, { ok: false, refusal: refuse('BUSY', rule, busyRetryAfterMs) });
      return undefined;
    }
    return callbackRef<Answer>('reads.answered', (answer) => {
      gate.leave(asker, entered.ticket);
      tell(replyTo, answer);
    });
  }
}
