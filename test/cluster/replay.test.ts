/**
 * Replay over a cluster: real conversations, their people spread over three nodes, rooms written through all of them at once.
 *
 * With CLUSTER_FULL=1 and CLUSTER_TRANSCRIPTS (a folder of them) 100,000 messages or more; short, the two that are here.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ClusterStage, servers } from './cluster-stage.ts';
import { readRooms } from './store-reader.ts';
import { isFull, transcriptFiles } from './story.ts';

const program = fileURLToPath(new URL('../../dist/test/replay/main.js', import.meta.url));
const rate = isFull ? 400 : 150;
const minutesMax = isFull ? 40 : 4;

function replay(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-20_000)));
  return new Promise((resolve) => child.once('exit', (code) => resolve({ code, output })));
}

describe.skipIf(servers.mongo === '')('three nodes (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  let stage: ClusterStage | undefined;
  afterEach(() => stage?.stop());

  it(
    'play real conversations: every client on every node got all, once, in order, and the log is what was sent',
    async () => {
      stage = await ClusterStage.start({ nodes: 3 });
      const options = ['--url', stage.urls.join(','), '--rate', String(rate), '--parallel', isFull ? '12' : '2', '--sockets', '600'];
      const { code, output } = await replay([...transcriptFiles(), ...options]);
      console.log(output.slice(-1_500));
      expect(output, stage.dump()).toMatch(/verdict: clean\s*$/);
      expect(code).toBe(0);
      const acked = Number(/(\d+) of \d+ messages acknowledged/.exec(output)?.[1]);
      expect(acked).toBeGreaterThan(isFull ? 100_000 : 1_000);
      // Past everything of ours: what the store holds, by its own driver.
      const rooms = await readRooms(servers.mongo, stage.database.db.databaseName, '');
      const entries = [...rooms.values()];
      const said = entries.flat().filter(({ kind }) => kind === 'message' || kind === 'reply');
      expect(said).toHaveLength(acked);
      for (const [room, log] of rooms) {
        expect(
          log.map(({ seq }) => seq),
          room,
        ).toEqual(log.map((_, index) => index + 1));
        expect(new Set(log.map(({ by, cid }) => `${by} ${cid}`)).size, room).toBe(log.length);
      }
      // Written through several nodes: otherwise this would prove little.
      const writers = await stage.database.entries.distinct('writer');
      expect(writers.length).toBe(3);
    },
    minutesMax * 60_000,
  );
});
