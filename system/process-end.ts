/**
 * Process end: what the programs share that run until they are told to stop.
 *
 * Exit codes: 0 after an orderly stop; 1 for a bad configuration, a part that cannot start, a failure, a second signal or a
 * stop that took too long.
 */
import { ConfigError } from '../config/load.ts';
import { systemClock } from './clock.ts';
import { Fault } from './errors.ts';
import type { Logger } from './logger.ts';
import { installProcessGuard } from './supervision.ts';

export const say = (text: string): void => void process.stderr.write(`${text}\n`);

export interface Running {
  /** False: it was not orderly. */
  stop(): Promise<boolean | void>;
}

export interface Program<R extends Running> {
  /** `fail` is for what the started part finds out itself. */
  readonly start: (fail: (reason: string) => void) => Promise<R>;
  readonly banner: (running: R) => string;
  readonly deadlineMs: number;
  readonly log: Logger;
}

/** Starts, says so, and runs until a signal or a failure. */
export async function runUntilSignal<R extends Running>({ start, banner, deadlineMs, log }: Program<R>): Promise<void> {
  let stop: (exitCode: 0 | 1, reason: string) => void = () => process.exit(1);
  installProcessGuard(log, () => stop(1, 'an error nobody caught'));
  const running = await start((reason) => stop(1, reason));
  stop = stopOnce(running, deadlineMs, log);
  process.on('SIGTERM', () => stop(0, 'SIGTERM'));
  process.on('SIGINT', () => stop(0, 'SIGINT'));
  // Last: who reads it may send a signal at once.
  say(banner(running));
}

/** Ends the process after an orderly stop, or at the deadline, or at the second signal. */
function stopOnce(running: Running, deadlineMs: number, log: Logger): (exitCode: 0 | 1, reason: string) => void {
  let isStopping = false;
  return (exitCode, reason) => {
    if (isStopping) {
      say('stopped at once: a second signal, or a failure while stopping');
      process.exit(1);
    }
    isStopping = true;
    log.info({ ev: 'node.stop', reason }, 'stopping');
    systemClock.after(deadlineMs, () => {
      say(`not stopped within ${deadlineMs} ms; ending now`);
      process.exit(1);
    });
    running.stop().then(
      (isClean) => process.exit(isClean === false ? 1 : exitCode),
      () => process.exit(1),
    );
  };
}

/** Says in a line why it did not start, and ends. */
export function failStart(error: unknown): never {
  if (error instanceof ConfigError) say(error.message);
  else if (error instanceof Fault) say(`cannot start: ${error.message}`);
  else say(`cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(1);
}
