/**
 * ServerProbe: loaded into every server process (`node --import`), answers the benchmark about its memory and its event loop.
 *
 * Guarantees: nothing runs until it is asked; production code knows nothing of it; bare socket.io gets the same.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { answerBeside } from './calls.ts';

export interface ServerMemory {
  /** After a forced collection. */
  readonly heapBytes: number;
  /** Buffers and other things that the heap holds on to but does not contain. */
  readonly externalBytes: number;
  readonly rssBytes: number;
}
export interface LoopLag {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Of the histogram: what it shows is never below this. */
const resolutionMs = 10;
/** Finalizers of one collection free what the next one finds. */
const collections = 2;
const lag = monitorEventLoopDelay({ resolution: resolutionMs });
let collect: (() => void) | undefined;

async function memory(): Promise<ServerMemory> {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let times = 0; times < collections; times += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss };
}

answerBeside({
  memory,
  lagStart: () => {
    lag.reset();
    lag.enable();
  },
  lagStop: (): LoopLag => {
    lag.disable();
    return { p50Ms: lag.percentile(50) / 1e6, p99Ms: lag.percentile(99) / 1e6, maxMs: lag.max / 1e6 };
  },
});
