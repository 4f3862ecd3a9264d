/**
 * Store processes for the crash tests: started from dist, their lines in a file that survives them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What the processes run. */
export type StoreScript = 'store-writer-child' | 'write-victim-child';

export interface StoreProcess {
  readonly child: ChildProcess;
  /** Whole lines said so far. */
  lines(): readonly string[];
  /** kill -9, and its end. */
  kill(): Promise<void>;
  /** Its end by itself; resolves with the exit code. */
  ended(): Promise<number | null>;
}

export function startStoreProcess(linesFile: string, args: readonly string[], of: StoreScript = 'store-writer-child'): StoreProcess {
  const script = fileURLToPath(new URL(`../../dist/test/support/${of}.js`, import.meta.url));
  if (!existsSync(script)) throw new Error(`${script} is not there: run npm run build`);
  const out = openSync(linesFile, 'w');
  const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], { stdio: ['ignore', out, 'inherit'] });
  closeSync(out);
  const end = once(child, 'exit');
  return {
    child,
    lines: () => readFileSync(linesFile, 'utf8').split('\n').slice(0, -1),
    async kill() {
      child.kill('SIGKILL');
      await end;
    },
    async ended() {
      const [code] = (await end) as [number | null];
      return code;
    },
  };
}

/** Resolves when `condition` holds; fails with the sentence when it does not within the time. */
export async function waitUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
  dump: () => string = () => '',
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what} ${dump()}`.trimEnd());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Numbers in 0..1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
