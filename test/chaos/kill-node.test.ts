/**
 * Chaos: real conversations are played while the node is killed with -9 and started again, until the verdict is read.
 *
 * CHAOS_KILLS (default 3) says how often; `npm run chaos` runs ten with its own transcripts. The moments are drawn from
 * CHAOS_SEED, which is printed.
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
const files = process.env.CHAOS_TRANSCRIPTS?.split(',') ?? readdirSync(transcripts).filter((name) => name.endsWith('.gz')).map((name) => join(transcripts, name));
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

it(`a node killed ${kills} times with -9 under ${rate} messages/s loses, doubles and reorders nothing, and everybody is back within ${resumedWithinS} s`, async () => {
  const random = randoms(seed);
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-chaos-'));
  const port = await freePort();
  const node = new NodeProcess({ CHAT_PORT: String(port), CHAT_DATA_DIR: dir });
  await node.start();
  const replay = spawn(process.execPath, [replayPath, ...files, '--url', `http://127.0.0.1:${port}`, '--rate', String(rate)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [replay.stdout, replay.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | null>((resolve) => replay.once('exit', resolve));
  let killed = 0;
  try {
    while (!/acked [1-9]/.test(output) && replay.exitCode === null) await pause(100); // People are there and talk.
    for (; killed < kills && replay.exitCode === null; killed += 1) {
      await pause(settledMs + random() * 2_000);
      await node.kill('SIGKILL');
      await pause(random() * 300);
      await node.start();
    }
    const code = await ended;
    const told = `seed ${seed}, ${killed} kills, replay ended with ${code}\n${output.slice(-4_000)}\nnode:\n${node.log.slice(-2_000)}`;
    console.log(told);
    expect(killed, `the replay ended before the last kill\n${told}`).toBe(kills);
    expect(code, told).toBe(0);
    expect(output, told).toMatch(/verdict: clean\s*$/);
    const longestS = Number(/longest way back (\d+\.\d+) s/.exec(output)?.[1] ?? Number.NaN);
    expect(longestS, told).toBeLessThanOrEqual(resumedWithinS);
  } finally {
    replay.kill('SIGKILL');
    await node.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000 + kills * 20_000);
