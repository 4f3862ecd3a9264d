/**
 * RoomLog, measured: passes every call on as it is and counts beside it.
 *
 * Guarantees: the caller gets the promise of the log itself, so that measuring adds no turn to an append or a read.
 */
import type { Clock } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { AppendOutcome, RoomLog } from './room-log.ts';

const reads = ['read', 'at', 'heads', 'lastMessages', 'byCid', 'controls', 'byTarget', 'messages'] as const satisfies (keyof RoomLog)[];

export function measuredRoomLog(log: RoomLog, metrics: Metrics, clock: Pick<Clock, 'nowMs'>): RoomLog {
  const outcomes = Object.fromEntries(
    (['appended', 'conflict', 'rejected', 'unknown'] as const).map((outcome) => [
      outcome,
      metrics.counter('playhouse_appends_total', { outcome }),
    ]),
  ) as Record<AppendOutcome['type'], { value: number }>;
  const appendedEntries = metrics.counter('playhouse_appended_entries_total');
  const batchEntries = metrics.histogram('playhouse_append_entries');
  const appendSeconds = metrics.histogram('playhouse_append_seconds');
  let underWay = 0;
  metrics.read('playhouse_log_reads', () => underWay);

  const measured: { -readonly [Method in keyof RoomLog]?: unknown } = {
    append(...call: Parameters<RoomLog['append']>) {
      const startMs = clock.nowMs();
      const [, , entries] = call;
      const result = log.append(...call);
      batchEntries.observe(entries.length);
      const count = ({ type }: AppendOutcome) => {
        outcomes[type].value += 1;
        if (type === 'appended') appendedEntries.value += entries.length;
        appendSeconds.observe((clock.nowMs() - startMs) / 1_000);
      };
      result.then(count, () => {}); // A bug's rejection is the caller's.
      return result;
    },
    tail: log.tail.bind(log),
  };
  Object.defineProperty(measured, 'isTailLive', { get: () => log.isTailLive });
  for (const method of reads) {
    const seconds = metrics.histogram('playhouse_log_read_seconds', { read: method });
    const original = log[method].bind(log) as (...args: unknown[]) => Promise<unknown>;
    measured[method] = (...args: unknown[]) => {
      const startMs = clock.nowMs();
      underWay += 1;
      const done = () => {
        underWay -= 1;
        seconds.observe((clock.nowMs() - startMs) / 1_000);
      };
      const result = original(...args);
      result.then(done, done);
      return result;
    };
  }
  return measured as unknown as RoomLog;
}
