/**
 * RoomState: the append and delivery protocol of one room on one node. Pure:
 * no I/O, no clock, no randomness; inputs come in with the time, effects come out to be carried out in their order.
 *
 * Guarantees: at most one append in flight; a command is acknowledged only from its own append's success or from a
 * committed read; the append head moves only by those two; attached readers get entries in order of seq, each once.
 * Does not: order between rooms, encode, or know a socket. Losing the whole state loses nothing acknowledged.
 *
 * This file takes the inputs and knows when time is due. Below it two halves meet in `room-known-state.ts`: the writer, in
 * `room-writer-state.ts` (batch -> append -> resolve), `room-intake-state.ts` (what waits, judged and answered) and
 * `room-forwarded-state.ts` (what the last winner made of it); and the reader side, in `room-delivery.ts` (committed entries and
 * events -> one ordered stream -> readers with cursors).
 */
import type { RoomFold } from './room-fold.ts';
import { RoomForwarded } from './room-forwarded-state.ts';
import { RoomIntake } from './room-intake-state.ts';
import { RoomKnown } from './room-known-state.ts';
import { newRoomCounters, type RoomCounters, type RoomEffect, type RoomInput, type RoomSettings, type Time } from './room-protocol.ts';
import { RoomWriter } from './room-writer-state.ts';

export class RoomState {
  private readonly known: RoomKnown;
  private readonly waiting: RoomIntake;
  private readonly forwards: RoomForwarded;
  private readonly writer: RoomWriter;
  private phase: 'new' | 'loading' | 'ready' = 'new';
  private loadRetryMs: number | undefined;

  /** `counters`: those of the node, where they are added up. */
  constructor(settings: RoomSettings, counters: RoomCounters = newRoomCounters()) {
    this.known = new RoomKnown(settings, counters);
    this.waiting = new RoomIntake(this.known);
    this.forwards = new RoomForwarded(this.known, this.waiting);
    this.writer = new RoomWriter(this.known, this.waiting, this.forwards);
  }

  get fold(): RoomFold {
    return this.known.fold;
  }

  get counters(): RoomCounters {
    return this.known.counters;
  }

  get headSeq(): number {
    return this.known.headSeq;
  }

  /** Count of messages up to `headSeq`. */
  get headN(): number {
    return this.known.headN;
  }

  /** Nothing waits, nothing is in flight, nobody reads: the actor may go. */
  get isIdle(): boolean {
    const isWriting = !this.writer.isIdle || this.pendingCount > 0 || this.forwards.isUnderWay;
    return this.phase === 'ready' && !isWriting && this.known.delivery.isIdle;
  }

  /** Before, it knows no member, and so judges nobody. */
  get isLoaded(): boolean {
    return this.phase === 'ready';
  }

  get pendingCount(): number {
    return this.waiting.pendingCount;
  }

  /** Commands of this node are under way to the last winner. */
  get isForwarding(): boolean {
    return this.known.forward.isUnderWay;
  }

  /** Of events that came too early. */
  get earlyBytes(): number {
    return this.known.delivery.earlyBytes;
  }

  /** When `tick` is due at the latest; undefined: nothing waits for time. */
  wakeAtMs(): number | undefined {
    const dueMs = Math.min(this.loadRetryMs ?? Number.POSITIVE_INFINITY, this.known.delivery.dueAtMs(), this.writer.dueAtMs());
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs;
  }

  /** Takes the inputs of one turn, in order, and returns the effects, to be carried out in their order. */
  handle(inputs: RoomInput | readonly RoomInput[], time: Time): RoomEffect[] {
    const out: RoomEffect[] = [];
    this.known.out = out;
    if ('type' in inputs) this.take(inputs, time);
    else for (const input of inputs) this.take(input, time);
    this.pump(time);
    return out;
  }

  private take(input: RoomInput, time: Time): void {
    const { delivery, out } = this.known;
    switch (input.type) {
      case 'start':
        this.phase = 'loading';
        out.push({ type: 'load' });
        return;
      case 'loaded':
        this.phase = 'ready';
        return this.known.begin(input.head, input.controls);
      case 'loadFailed':
        this.loadRetryMs = this.writer.restUntilMs(time.nowMs);
        return;
      case 'command':
        return this.waiting.enqueue(input.key, input.command, time);
      case 'forwarded':
        return this.waiting.takeReceived(input, time);
      case 'forwardDone':
        return this.forwards.onForwardDone(input, time);
      case 'appendDone':
        return this.writer.onAppendDone(input.outcome, time);
      case 'resolved':
        return this.writer.onResolved(input.entries, input.found, time);
      case 'resolveFailed':
        return this.writer.onResolveFailed(time);
      case 'factsRead':
        return this.writer.onFactsRead(input.facts);
      case 'factsFailed':
        return this.writer.factsFailed(time);
      case 'tick':
        return this.onTick(time);
      case 'event':
        this.known.forward.heard(input.entries, time.nowMs);
        delivery.offer(input.entries, time.nowMs, out);
        return;
      case 'caughtUp':
        this.known.learn(input.entries, time);
        delivery.caughtUp(input.entries.length, time.nowMs, this.known.head.seq, out);
        return;
      case 'rangeRead':
        this.known.learn(input.entries, time);
        delivery.rangeRead(input.reader, input.entries, time.nowMs, this.known.fold.epoch, out);
        return;
      default:
        return delivery.take(input, time.nowMs, this.known.context, out);
    }
  }

  /** After the inputs of a turn: whatever has become possible. Commands that came together leave as one batch. */
  private pump(time: Time): void {
    if (this.phase !== 'ready') return;
    this.writer.appendNext(time);
    this.known.delivery.pump(time.nowMs, this.known.context, this.known.head.seq, this.known.out);
  }

  private onTick(time: Time): void {
    if (this.loadRetryMs !== undefined && time.nowMs >= this.loadRetryMs) {
      this.loadRetryMs = undefined;
      this.known.out.push({ type: 'load' });
    }
    this.writer.tick(time);
    this.known.delivery.tick(time.nowMs, this.known.out);
  }
}
