/**
 * FaultyStore: any RoomStore, with faults put in by a test: gates, outcomes, refused reads.
 *
 * Everything is ordered by promises: an append that meets a gate waits there until the test opens it. Nothing sleeps.
 * A rule is used once, by the first append it fits, in the order the rules were given.
 */
import { Fault } from '../../system/errors.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { AppendOutcome, RoomLog } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';

/**
 * - conflict: nothing is stored, and the answer is `conflict`.
 * - rejected: nothing is stored, and entry 0 is `rejected`.
 * - lost: nothing is stored, and the answer is `unknown`.
 * - stored-unknown: it is stored, and the answer is `unknown` (whatever the store said).
 */
export type InjectedOutcome = 'conflict' | 'rejected' | 'lost' | 'stored-unknown';

export interface Gate {
  /** Resolves when an append waits here. */
  readonly reached: Promise<{ readonly room: RoomId; readonly after: number; readonly entries: readonly Entry[] }>;
  /** Lets it go on. Opening early is fine. */
  open(): void;
}

export interface FaultyStore extends RoomStore {
  /** The next append (of this room) answers so. */
  inject(outcome: InjectedOutcome, room?: RoomId): void;
  /** The next append (of this room) waits before it reaches the store, or with its answer after it did. */
  gate(where: 'before' | 'after', room?: RoomId): Gate;
  /** All reads of the log reject with STORE_UNAVAILABLE, until it is undone. */
  failReads(isFailing: boolean): void;
  /** The tail tells nothing, until it is undone. What happened meanwhile is lost, as the contract allows. */
  muteTail(isMuted: boolean): void;
  /** Appends that reached this store, in order. */
  readonly appends: readonly { readonly room: RoomId; readonly after: number; readonly entries: readonly Entry[] }[];
}

interface Rule {
  readonly room: RoomId | undefined;
  readonly outcome?: InjectedOutcome;
  readonly gate?: {
    readonly where: 'before' | 'after';
    readonly reach: (append: { room: RoomId; after: number; entries: readonly Entry[] }) => void;
    readonly opened: Promise<void>;
  };
}

const unavailable = (): Fault => new Fault('STORE_UNAVAILABLE', 'injected by the test');

export function faultyStore(store: RoomStore): FaultyStore {
  const outcomes: Rule[] = [];
  const gates: Rule[] = [];
  const appends: { room: RoomId; after: number; entries: readonly Entry[] }[] = [];
  let readsFail = false;
  let tailMuted = false;
  const take = (rules: Rule[], room: RoomId): Rule | undefined => {
    const index = rules.findIndex((rule) => rule.room === undefined || rule.room === room);
    return index < 0 ? undefined : rules.splice(index, 1)[0];
  };
  const read = async <T>(answer: () => Promise<T>): Promise<T> => {
    if (readsFail) throw unavailable();
    return answer();
  };

  const log: RoomLog = {
    async append(room, after, entries) {
      const append = { room, after, entries };
      appends.push(append);
      const outcome = take(outcomes, room)?.outcome;
      const gate = take(gates, room)?.gate;
      if (gate?.where === 'before') {
        gate.reach(append);
        await gate.opened;
      }
      const answer = await answerOf(outcome, () => store.log.append(room, after, entries));
      if (gate?.where === 'after') {
        gate.reach(append);
        await gate.opened;
      }
      return answer;
    },
    read: (room, range) => read(() => store.log.read(room, range)),
    at: (refs) => read(() => store.log.at(refs)),
    heads: (rooms) => read(() => store.log.heads(rooms)),
    lastMessages: (rooms) => read(() => store.log.lastMessages(rooms)),
    byCid: (room, ids) => read(() => store.log.byCid(room, ids)),
    controls: (room, after, upTo) => read(() => store.log.controls(room, after, upTo)),
    byTarget: (room, targets, upTo) => read(() => store.log.byTarget(room, targets, upTo)),
    messages: (room, range, upTo) => read(() => store.log.messages(room, range, upTo)),
    tail: (onHead) =>
      store.log.tail((room, head) => {
        if (!tailMuted) onHead(room, head);
      }),
    get isTailLive() {
      return !tailMuted && store.log.isTailLive;
    },
  };

  return {
    log,
    userRooms: store.userRooms,
    revocations: {
      add: (revocation) => store.revocations.add(revocation),
      read: (cursor) => read(() => store.revocations.read(cursor)),
    },
    description: `${store.description}, with faults`,
    appends,
    close: () => store.close(),
    inject(outcome, room) {
      outcomes.push({ room, outcome });
    },
    gate(where, room) {
      let open = (): void => {};
      let reach: (append: { room: RoomId; after: number; entries: readonly Entry[] }) => void = () => {};
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      const reached: Gate['reached'] = new Promise((resolve) => {
        reach = resolve;
      });
      gates.push({ room, gate: { where, reach, opened } });
      return { reached, open };
    },
    failReads(isFailing) {
      readsFail = isFailing;
    },
    muteTail(isMuted) {
      tailMuted = isMuted;
    },
  };
}

async function answerOf(outcome: InjectedOutcome | undefined, append: () => Promise<AppendOutcome>): Promise<AppendOutcome> {
  switch (outcome) {
    case undefined:
      return append();
    case 'conflict':
      return { type: 'conflict' };
    case 'rejected':
      return { type: 'rejected', index: 0, reason: 'injected by the test' };
    case 'lost':
      return { type: 'unknown', cause: unavailable() };
    case 'stored-unknown':
      await append();
      return { type: 'unknown', cause: unavailable() };
  }
}
