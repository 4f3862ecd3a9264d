/**
 * Supervision: when a crashed actor comes back, and the one log line that tells of it.
 *
 * Owns: the restart decision (pure), the line's schema v1, the counting of floods, the process guard.
 * Guarantees: no function here throws; no message body, token or payload is in a line; a line stays below 8 kB.
 * Does not: know actors. It is told what happened.
 */
import { z } from 'zod';
import { causeCharsMax, describeCause, nameOfCause, stackCharsMax } from './cause.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';

// ---- when a crashed actor comes back ----

/**
 * At most `restartsMax` restarts in `windowMs`; the next crash within the window stops the actor for good.
 * The n-th crash of a window waits backoffMs × 2^(n-1), at most `backoffMaxMs`.
 */
export interface RestartPolicy {
  readonly restartsMax: number;
  readonly windowMs: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
}

export type RestartDecision =
  | { readonly decision: 'restart'; readonly delayMs: number; readonly crashesMs: readonly number[] }
  | { readonly decision: 'stop'; readonly crashesMs: readonly number[] };

/** `crashesMs`: times of earlier crashes, as given back by the last decision. */
export function decideRestart(policy: RestartPolicy | 'never', crashesMs: readonly number[], nowMs: number): RestartDecision {
  if (policy === 'never') return { decision: 'stop', crashesMs: [nowMs] };
  const recent = [...crashesMs.filter((at) => nowMs - at < policy.windowMs), nowMs];
  if (recent.length > policy.restartsMax) return { decision: 'stop', crashesMs: recent };
  const delayMs = Math.min(policy.backoffMaxMs, policy.backoffMs * 2 ** (recent.length - 1));
  return { decision: 'restart', delayMs, crashesMs: recent };
}

// ---- the line ----

/** Characters kept; the rest is cut. Together with those of a cause they hold a line below 8 kB. */
const fieldCharsMax = 256;
const aboutFieldsMax = 8;

const field = z.string().max(fieldCharsMax);
const count = z.number().int().nonnegative();

export const supervisionEvents = [
  'actor.spawn',
  'actor.crash',
  'actor.restart',
  'actor.stop',
  'actor.quarantine',
  'deadletter',
  'mailbox.high',
  'link.up',
  'link.down',
  'link.resync',
  'append.conflict',
  'gap.repair',
  'node.state',
  'slow.consumer',
] as const;
export type SupervisionEvent = (typeof supervisionEvents)[number];

/** A line as it is written. `level`, `time`, `node`, `inc` come from the logger. Fields may be added within v 1, never changed. */
export const supervisionLineSchema = z.strictObject({
  level: z.number().int(),
  time: z.number(),
  node: z.string().optional(),
  inc: z.string().optional(),
  v: z.literal(1),
  ev: z.enum(supervisionEvents),
  path: field,
  kind: field,
  cause: z.strictObject({ name: field, msg: z.string().max(causeCharsMax), stack: z.string().max(stackCharsMax) }).optional(),
  msgType: field.optional(),
  /** restart, stop, drop, quarantine … : what was decided. */
  decision: field.optional(),
  restarts: count.optional(),
  windowMs: z.number().nonnegative().optional(),
  /** Until the restart, or until the quarantine ends. */
  delayMs: z.number().nonnegative().optional(),
  /** Messages waiting. */
  mailbox: count.optional(),
  /** Messages this line stands for (deadletter). */
  count: count.optional(),
  /** New state (node.state, link.…). */
  state: field.optional(),
  room: field.optional(),
  session: field.optional(),
  trace: field.optional(),
  /** What else the actor says of itself: ids and counts. */
  about: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  /** Further lines like this one within the last second that were not written; this is the newest. */
  suppressed: count.optional(),
});
export type SupervisionLine = z.infer<typeof supervisionLineSchema>;

/** What a reporter gives. `cause` is whatever was thrown. */
export type SupervisionReport = Omit<SupervisionLine, 'level' | 'time' | 'node' | 'inc' | 'v' | 'cause' | 'suppressed'> & {
  readonly cause?: unknown;
};

const levels: Readonly<Record<SupervisionEvent, 'debug' | 'info' | 'warn' | 'error'>> = {
  'actor.spawn': 'debug',
  'actor.crash': 'error',
  'actor.restart': 'warn',
  'actor.stop': 'debug',
  'actor.quarantine': 'error',
  deadletter: 'info',
  'mailbox.high': 'warn',
  'link.up': 'info',
  'link.down': 'warn',
  'link.resync': 'info',
  'append.conflict': 'info',
  'gap.repair': 'info',
  'node.state': 'info',
  'slow.consumer': 'warn',
};

export interface Supervision {
  /** Reports so far by event, whether written, counted or below the log's level. */
  readonly counts: Readonly<Record<SupervisionEvent, number>>;
  /** Writes a line, or counts it when the same (ev, kind, cause name, msgType, decision, state) was written within the last second. Never throws. */
  emit(report: SupervisionReport): void;
  /** Writes what is counted and not yet written. */
  flush(): void;
}
/** A flood is counted per this long. */
const floodWindowMs = 1_000;
/** Different lines counted at once; beyond it further kinds share one count per ev, so that a flood of kinds is a flood too. */
export const floodKeysMax = 1_024;

/** Never throws: a reporter is often in trouble already. Lines beyond the first of a second wait for its end (see `flush`). */
export function createSupervision(deps: { clock: Clock; log: Logger }): Supervision {
  const counts = Object.fromEntries(supervisionEvents.map((ev) => [ev, 0])) as Record<SupervisionEvent, number>;
  const floods = new Map<string, { newest: SupervisionReport | undefined; suppressed: number; cancel: () => void }>();

  const write = (report: SupervisionReport, suppressed: number) => {
    const level = levels[report.ev];
    if (deps.log.isLevelEnabled(level)) deps.log[level](toLine(report, suppressed));
  };
  const openWindow = (key: string) => {
    const cancel = deps.clock.after(floodWindowMs, () => {
      const flood = floods.get(key);
      floods.delete(key);
      if (!flood?.newest) return;
      openWindow(key);
      write(flood.newest, flood.suppressed);
    });
    floods.set(key, { newest: undefined, suppressed: 0, cancel });
  };

  return {
    counts,
    emit(report) {
      try {
        counts[report.ev] += 1;
        if (!deps.log.isLevelEnabled(levels[report.ev])) return;
        const key = floodKey(report);
        const known = floods.get(key) ?? (floods.size >= floodKeysMax ? floods.get(report.ev) : undefined);
        if (known) {
          known.newest = report;
          known.suppressed += 1;
          return;
        }
        openWindow(floods.size >= floodKeysMax ? report.ev : key);
        write(report, 0);
      } catch {
        // A log that throws (a full disk) must not turn a report into a second crash.
      }
    },
    flush() {
      for (const flood of floods.values()) {
        flood.cancel();
        try {
          if (flood.newest) write(flood.newest, flood.suppressed);
        } catch {
          // As above.
        }
      }
      floods.clear();
    },
  };
}

/** decision and state are part of it: the crash that ends an actor, and each new node state, are never lost in a flood. */
function floodKey(report: SupervisionReport): string {
  const name = report.cause === undefined ? '' : nameOfCause(report.cause);
  return [report.ev, report.kind, name, report.msgType, report.decision, report.state].join('\n');
}

function toLine(report: SupervisionReport, suppressed: number): Record<string, unknown> {
  const line: Record<string, unknown> = { v: 1 };
  for (const [name, value] of Object.entries(report)) {
    // Only what the schema knows: a caller's object may hold more than its type says.
    if (value === undefined || name === 'cause' || name === 'about' || !(name in supervisionLineSchema.shape)) continue;
    line[name] = typeof value === 'string' ? value.slice(0, fieldCharsMax) : value;
  }
  if (report.cause !== undefined) line['cause'] = describeCause(report.cause);
  if (report.about) line['about'] = clipFields(report.about);
  if (suppressed > 0) line['suppressed'] = suppressed;
  return line;
}

function clipFields(fields: Readonly<Record<string, string | number>>): Record<string, string | number> {
  const kept = Object.entries(fields).slice(0, aboutFieldsMax);
  return Object.fromEntries(
    kept.map(([name, value]) => [name.slice(0, 64), typeof value === 'string' ? value.slice(0, fieldCharsMax) : value]),
  );
}

// ---- the process ----

/** Lines written at most; a process that is going down may be in a loop. Beyond it faults are still counted as handled, silently. */
const guardLinesMax = 100;

/**
 * Turns uncaughtException and unhandledRejection into one error line each and, the first time, a call of `onFatal` (main: not
 * ready, drain, exit 1). Without it the process would exit at once, in the middle of appends. Returns its removal.
 */
export function installProcessGuard(log: Logger, onFatal: (error: unknown) => void): () => void {
  let faults = 0;
  const onFault = (state: string) => (error: unknown) => {
    faults += 1;
    const line: SupervisionReport = {
      ev: 'node.state',
      path: '/',
      kind: 'process',
      state,
      decision: 'stop',
      cause: error ?? new Error('no reason given'),
    };
    try {
      if (faults <= guardLinesMax) log.error(toLine(line, 0));
    } catch {
      // The log is the last thing that could be told.
    }
    if (faults > 1) return;
    try {
      onFatal(error);
    } catch (failure) {
      log.error(toLine({ ...line, state: 'onFatal', cause: failure }, 0));
    }
  };
  const onException = onFault('uncaughtException');
  const onRejection = onFault('unhandledRejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}
