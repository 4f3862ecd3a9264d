/**
 * Chaos: real conversations are played while the node is killed with -9 and started again, until the verdict is read.
 *
 * CHAOS_KILLS (default 3) says how often; `npm run chaos` kills ten times. The moments are drawn from CHAOS_SEED, which is
 * printed. CHAOS_TRANSCRIPTS (comma list of files) plays others than the two that are here.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { freePort, NodeProcess } from '../support/node-process.ts';

const kills = Number(process.env.CHAOS_KILLS ?? 3);
const seed = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 1e9));
const transcripts = fileURLToPath(new URL('../support/transcripts/', import.meta.url));
const files =
  process.env.CHAOS_TRANSCRIPTS?.split(',') ??
  readdirSync(transcripts)
    .filter((name) => name.endsWith('.gz'))
    .map((name) => join(transcripts, name));
const replayPath = fileURLToPath(new URL('../../dist/test/replay/main.js', import.meta.url));
/** Messages a second over all rooms, and the longest that anybody may need to be back after the node is. */
const rate = 250;
const resumedWithinS = 5;
/** Between kills, so that each outage is one of its own. */
const settledMs = 5_000;

/** Mulberry32. */
function randoms(state: number): () => number {
  let a = state;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it(
  `a node killed ${kills} times with -9 under ${rate} messages/s loses, doubles and reorders nothing, and everybody is back within ${resumedWithinS} s`,
  async () => {
    const random = randoms(seed);
    const dir = mkdtempSync(join(tmpdir(), 'playhouse-chaos-'));
    const port = await freePort();
    const node = new NodeProcess({ CHAT_PORT: String(port), CHAT_DATA_DIR: dir });
    let replay: Replay | undefined;
    let killed = 0;
    try {
      await node.start();
      // The conversations are played again, in rooms of their own, until the node was killed often enough.
      while (killed < kills) {
        replay = startReplay(`http://127.0.0.1:${port}`);
        await replay.talking();
        for (; killed < kills && (await replay.stillPlays(settledMs + random() * 2_000)); killed += 1) {
          await node.kill('SIGKILL');
          await pause(random() * 300);
          await node.start();
        }
        const code = await replay.ended;
        const told = `seed ${seed}, ${killed} kills so far, replay ended with ${code}\n${replay.output().slice(-4_000)}\nnode:\n${node.log.slice(-2_000)}`;
        console.log(told);
        expect(code, told).toBe(0);
        expect(replay.output(), told).toMatch(/verdict: clean\s*$/);
        expect(Number(/longest way back (\d+\.\d+) s/.exec(replay.output())?.[1] ?? Number.NaN), told).toBeLessThanOrEqual(resumedWithinS);
      }
    } finally {
      replay?.kill();
      await node.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    }
  },
  120_000 + kills * 20_000,
);

interface Replay {
  readonly ended: Promise<number | null>;
  output(): string;
  kill(): void;
  /** Resolves when people are there and talk, or the replay ended. */
  talking(): Promise<void>;
  /** Waits; false when it ended meanwhile. */
  stillPlays(ms: number): Promise<boolean>;
}

function startReplay(url: string): Replay {
  const args = [replayPath, ...files, '--url', url, '--rate', String(rate), '--parallel', String(files.length)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    ended,
    output: () => output,
    kill: () => child.kill('SIGKILL'),
    async talking() {
      while (!/acked [1-9]/.test(output) && child.exitCode === null) await pause(100);
    },
    stillPlays: (ms) => Promise.race([pause(ms).then(() => child.exitCode === null), ended.then(() => false)]),
  };
}
