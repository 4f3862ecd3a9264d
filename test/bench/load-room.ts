/**
 * LoadRoom: one room as its members receive it: every member, every entry, every byte is checked.
 *
 * How it is cheap enough for millions a second: the first member that gets a frame parses it (order, holes, times); the others'
 * copies are compared with it byte by byte, which is a memcmp. A member that gets other bytes has them parsed again.
 * Latency is taken for every (entry, member): the text begins with the time at which the message was due to be sent.
 */
import { Latencies } from './stats.ts';

export interface Member {
  readonly room: LoadRoom;
  /** The last seq received. */
  cursor: number;
}

/** What a step counts, over all rooms. */
export interface Tally {
  deliveries: number;
  frames: number;
  lastDeliveryMs: number;
  latencies: Latencies;
  /** Broken promises: the run fails. */
  readonly violations: string[];
}

export const newTally = (violations: string[] = []): Tally => ({
  deliveries: 0,
  frames: 0,
  lastDeliveryMs: 0,
  latencies: new Latencies(),
  violations,
});

interface CheckedFrame {
  readonly bytes: Buffer;
  readonly lastSeq: number;
  readonly sentAtMs: readonly number[];
  membersLeft: number;
}

interface ReceivedEntry {
  readonly seq: number;
  readonly text?: string;
}

/** Frames kept for comparison; one that was dropped is parsed again. */
const framesMax = 2_048;
const violationsMax = 20;

export class LoadRoom {
  readonly id: string;
  readonly members: Member[] = [];
  /** The seq that every member must reach: what it was at the start plus every acknowledged message. */
  headSeq = 0;
  /** By first seq. */
  readonly #frames = new Map<number, CheckedFrame>();

  /** Whether being told `closing` is part of the story. */
  readonly #mayClose: boolean;

  constructor(id: string, mayClose = false) {
    this.id = id;
    this.#mayClose = mayClose;
  }

  receive(member: Member, data: Buffer, start: number, end: number, tally: Tally): void {
    const nowMs = performance.now();
    const known = this.#frames.get(member.cursor + 1);
    if (known && known.bytes.length === end - start && known.bytes.compare(data, start, end) === 0) {
      this.#count(member, known, nowMs, tally);
      known.membersLeft -= 1;
      if (known.membersLeft === 0) this.#frames.delete(known.lastSeq - known.sentAtMs.length + 1);
      return;
    }
    const checked = this.#check(member, data, start, end, tally);
    if (!checked) return;
    if (!known) this.#frames.set(member.cursor + 1, checked);
    if (this.#frames.size > framesMax) this.#frames.delete(this.#frames.keys().next().value as number);
    this.#count(member, checked, nowMs, tally);
  }

  /** Members that are not where the room is. */
  behind(): number {
    return this.members.filter((member) => member.cursor !== this.headSeq).length;
  }

  #count(member: Member, { lastSeq, sentAtMs }: CheckedFrame, nowMs: number, tally: Tally): void {
    member.cursor = lastSeq;
    tally.deliveries += sentAtMs.length;
    tally.frames += 1;
    tally.lastDeliveryMs = nowMs;
    for (const sentMs of sentAtMs) tally.latencies.add(nowMs - sentMs);
  }

  /** A page that was read, as if it had come in a frame of its own. */
  receivePage(member: Member, entries: readonly ReceivedEntry[], tally: Tally): void {
    member.cursor = this.#checkOrder(member.cursor, entries, tally);
    tally.deliveries += entries.length;
    tally.lastDeliveryMs = performance.now();
  }

  #check(member: Member, data: Buffer, start: number, end: number, tally: Tally): CheckedFrame | undefined {
    const [event, body] = JSON.parse(data.toString('utf8', start, end)) as [
      string,
      { room?: string; entries?: ReceivedEntry[] } & ReceivedEntry,
    ];
    if (event !== 'entries' && event !== 'message') {
      if ((event === 'closing' && !this.#mayClose) || event === 'room:gone')
        this.#violated(tally, `a member of ${this.id} was told ${data.toString('utf8', start, end)}`);
      return undefined;
    }
    if (body.room !== this.id) this.#violated(tally, `a member of ${this.id} got an entry of ${body.room}`);
    const entries = event === 'entries' ? (body.entries ?? []) : [body];
    const seq = this.#checkOrder(member.cursor, entries, tally);
    const sentAtMs = entries.map(({ text }) => Number.parseFloat(text ?? ''));
    if (sentAtMs.some(Number.isNaN)) this.#violated(tally, `${this.id}: an entry up to ${seq} has lost its text`);
    return { bytes: Buffer.from(data.subarray(start, end)), lastSeq: seq, sentAtMs, membersLeft: this.members.length - 1 };
  }

  #checkOrder(after: number, entries: readonly ReceivedEntry[], tally: Tally): number {
    let seq = after;
    for (const entry of entries) {
      if (entry.seq !== seq + 1) this.#violated(tally, `${this.id}: seq ${entry.seq} came after ${seq}`);
      seq = entry.seq;
    }
    return seq;
  }

  #violated(tally: Tally, what: string): void {
    if (tally.violations.length < violationsMax) tally.violations.push(what);
  }
}
