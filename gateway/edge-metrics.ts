/**
 * Edge metrics: what connections count, and how the numbers reach /metrics.
 *
 * Guarantees: everything a command or a frame costs here is a map lookup and an addition.
 * Does not: hold a label that a client can choose: an event that is not known counts as `unknown`.
 */
import type { ErrorCode } from '../system/errors.ts';
import type { Counter, Histogram, Metrics } from '../system/metrics.ts';
import { commandTypes } from './client-protocol.ts';

/** Counts of all outboxes of a server. Plain, because each frame to each connection adds to it. */
export interface OutboxTally {
  frames: number;
  /** Entries in those frames. */
  deliveries: number;
  /** Frames that were not taken: the reader catches up later. */
  refused: number;
  /** Volatile frames that were dropped. */
  shed: number;
  /** Connections ended because too much waited for them. */
  cut: number;
}

export const newOutboxTally = (): OutboxTally => ({ frames: 0, deliveries: 0, refused: 0, shed: 0, cut: 0 });

type Outcome = 'OK' | ErrorCode;

export class CommandMetrics {
  private readonly metrics: Metrics;
  private readonly byEvent = new Map<string, { readonly seconds: Histogram; readonly byCode: Map<Outcome, Counter> }>();

  constructor(metrics: Metrics) {
    this.metrics = metrics;
    for (const event of [...Object.keys(commandTypes), 'unknown']) {
      this.byEvent.set(event, { seconds: metrics.histogram('playhouse_command_seconds', { event }), byCode: new Map() });
    }
  }

  answered(event: unknown, code: Outcome, durationMs: number): void {
    const name = typeof event === 'string' && this.byEvent.has(event) ? event : 'unknown';
    const row = this.byEvent.get(name);
    if (!row) return;
    row.seconds.observe(durationMs / 1_000);
    let counter = row.byCode.get(code);
    if (!counter) {
      counter = this.metrics.counter('playhouse_commands_total', { event: name, code });
      row.byCode.set(code, counter);
    }
    counter.value += 1;
  }
}

export class ConnectMetrics {
  private readonly metrics: Metrics;
  private readonly byCode = new Map<Outcome, Counter>();

  constructor(metrics: Metrics) {
    this.metrics = metrics;
    this.count('OK', 0);
  }

  count(code: Outcome, by = 1): void {
    let counter = this.byCode.get(code);
    if (!counter) {
      counter = this.metrics.counter('playhouse_connects_total', { code });
      this.byCode.set(code, counter);
    }
    counter.value += by;
  }
}

interface FilledOutbox {
  readonly bytes: number;
  readonly fillRatio: number;
}

export function tellOutboxes(metrics: Metrics, tally: OutboxTally, open: { values(): Iterable<FilledOutbox> }): void {
  metrics.read('playhouse_frames_total', () => tally.frames);
  metrics.read('playhouse_deliveries_total', () => tally.deliveries);
  metrics.read('playhouse_outbox_events_total', () => ({ refused: tally.refused, shed: tally.shed, cut: tally.cut }));
  metrics.read('playhouse_outbox_bytes', () => {
    let bytes = 0;
    for (const outbox of open.values()) bytes += outbox.bytes;
    return bytes;
  });
  metrics.read('playhouse_outbox_fill_ratio', () => {
    let fullest = 0;
    for (const outbox of open.values()) fullest = Math.max(fullest, outbox.fillRatio);
    return fullest;
  });
}
