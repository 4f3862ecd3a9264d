/**
 * ReadMarks: how far the user has read each room, on its way to the server.
 *
 * Guarantees: the highest mark of each room arrives, over lost connections; one is in flight for a room, so many marks become
 * few. Marks only rise, so sending one again does no harm.
 * Does not: survive the process, or report a mark that can never succeed: it is dropped.
 */
import type { CommandAnswers } from '../client-protocol.ts';
import type { ChatError } from './chat-error.ts';
import { backoffMs, type Timing } from './timing.ts';

export interface ReadMarksDeps {
  readonly ask: (room: string, seq: number) => Promise<CommandAnswers['read:mark']>;
  readonly isOnline: () => boolean;
  readonly onMarked: (marked: { readonly room: string; readonly seq: number; readonly unread: number }) => void;
  readonly timing: Timing;
}

interface Lane {
  /** The highest that was asked for. */
  seq: number;
  /** The highest that the server has confirmed. */
  keptSeq: number;
  isBusy: boolean;
  failures: number;
  cancelRetry: () => void;
}

export class ReadMarks {
  private readonly deps: ReadMarksDeps;
  private readonly lanes = new Map<string, Lane>();

  constructor(deps: ReadMarksDeps) {
    this.deps = deps;
  }

  mark(room: string, seq: number): void {
    const lane = this.lanes.get(room) ?? { seq: 0, keptSeq: 0, isBusy: false, failures: 0, cancelRetry: () => {} };
    this.lanes.set(room, lane);
    lane.seq = Math.max(lane.seq, seq);
    this.pump(room, lane);
  }

  /** The connection is back. */
  resume(): void {
    for (const [room, lane] of this.lanes) this.pump(room, lane);
  }

  clear(): void {
    for (const lane of this.lanes.values()) lane.cancelRetry();
    this.lanes.clear();
  }

  private pump(room: string, lane: Lane): void {
    if (lane.isBusy || lane.seq <= lane.keptSeq || !this.deps.isOnline()) return;
    lane.isBusy = true;
    lane.cancelRetry();
    const asked = lane.seq;
    this.deps.ask(room, asked).then(
      ({ seq, unread }) => {
        lane.failures = 0;
        lane.keptSeq = Math.max(asked, seq);
        this.free(room, lane);
        this.deps.onMarked({ room, seq, unread });
      },
      (error: ChatError) => this.failed(room, lane, asked, error),
    );
  }

  private failed(room: string, lane: Lane, asked: number, error: ChatError): void {
    if (!error.retryable) {
      lane.keptSeq = asked;
      return this.free(room, lane);
    }
    lane.isBusy = false;
    const { timing } = this.deps;
    const delayMs = (error.retryAfterMs ?? 0) + backoffMs(lane.failures, timing);
    lane.failures += 1;
    lane.cancelRetry = timing.after(delayMs, () => this.pump(room, lane));
  }

  private free(room: string, lane: Lane): void {
    lane.isBusy = false;
    if (this.lanes.get(room) === lane) this.pump(room, lane);
  }
}
