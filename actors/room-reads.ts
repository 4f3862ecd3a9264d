/**
 * RoomReads: the reads that readers of one room need, made once for all who need the same.
 *
 * A thousand clients that come back at once ask for the same range of the same room: the first of them reads, the others wait
 * for that read, and as long as others keep coming they are given what it brought.
 * Guarantees: one read of a range or page at a time; a failed one is not kept; what is kept is bounded in bytes and time.
 * A range that was read earlier is still true, only perhaps shorter: a log only grows. Except for a delete, which takes
 * texts away: whoever sees one calls `forget`, and nobody who asks after that gets what was read before.
 * Does not: know readers, or retry.
 */
import type { Clock } from '../system/clock.ts';
import type { RoomId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import type { MessageView } from './client-command.ts';
import { firstFrame } from './frame-state.ts';
import { readPage } from './room-history.ts';

export interface RoomPage {
  readonly entries: readonly MessageView[];
  readonly hasBefore: boolean;
}

/** A result is kept so long after it was last asked for, and no longer than a storm of handshakes takes a node. */
const restMs = 2_000;
const keptMsMax = 20_000;
/** Results kept at once, each of at most 256 kB of text. When full, the oldest is let go: the next to ask reads again. */
export const readsKeptMax = 4;

type Time = Pick<Clock, 'nowMs'>;

interface Shared<T> {
  readonly result: Promise<T>;
  /** undefined while it is being read. */
  untilMs: number | undefined;
  readAtMs: number;
}

export class RoomReads {
  private readonly log: RoomLog;
  private readonly room: RoomId;
  private readonly clock: Time;
  private readonly ranges = new Map<string, Shared<readonly Entry[]>>();
  private readonly pages = new Map<string, Shared<RoomPage>>();

  constructor(log: RoomLog, room: RoomId, clock: Time) {
    this.log = log;
    this.room = room;
    this.clock = clock;
  }

  /** Up to `limit` entries after `after`, as many as fit into one frame. */
  range(after: number, limit: number): Promise<readonly Entry[]> {
    return share(this.ranges, `${after} ${limit}`, this.clock, async () => firstFrame(await this.log.read(this.room, { after, limit })));
  }

  /** The last `limit` messages up to `upTo`, with their changes up to there. */
  page(upTo: number, limit: number): Promise<RoomPage> {
    return share(this.pages, `${upTo} ${limit}`, this.clock, () => readPage(this.log, this.room, { before: upTo + 1, limit }, upTo));
  }

  /** A text was taken out of the log: what is being read or kept may still hold it. */
  forget(): void {
    this.ranges.clear();
    this.pages.clear();
  }

  expire(nowMs: number): void {
    for (const kept of [this.ranges, this.pages])
      for (const [key, { untilMs }] of kept) if (untilMs !== undefined && untilMs <= nowMs) kept.delete(key);
  }

  /** When the next kept result is to be let go. */
  nextEndMs(): number | undefined {
    let endMs: number | undefined;
    for (const kept of [this.ranges, this.pages])
      for (const { untilMs } of kept.values()) if (untilMs !== undefined) endMs = Math.min(endMs ?? untilMs, untilMs);
    return endMs;
  }
}

function share<T>(known: Map<string, Shared<T>>, key: string, clock: Time, read: () => Promise<T>): Promise<T> {
  const earlier = known.get(key);
  const nowMs = clock.nowMs();
  if (earlier && (earlier.untilMs === undefined || nowMs < earlier.untilMs)) {
    if (earlier.untilMs !== undefined) earlier.untilMs = Math.min(nowMs + restMs, earlier.readAtMs + keptMsMax);
    return earlier.result;
  }
  const mine: Shared<T> = { result: read(), untilMs: undefined, readAtMs: nowMs };
  known.set(key, mine);
  mine.result.then(
    () => {
      mine.readAtMs = clock.nowMs();
      mine.untilMs = mine.readAtMs + restMs;
      trim(known);
    },
    () => {
      if (known.get(key) === mine) known.delete(key);
    },
  );
  return mine.result;
}

/** Those still being read stay: somebody waits for each of them. */
function trim<T>(known: Map<string, Shared<T>>): void {
  let excess = known.size - readsKeptMax;
  for (const [key, { untilMs }] of known) {
    if (excess <= 0) return;
    if (untilMs === undefined) continue;
    known.delete(key);
    excess -= 1;
  }
}
