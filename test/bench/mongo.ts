/**
 * Mongo: what share of the driver's own insertMany is left after the store and the room actors, for cool rooms and hot ones.
 *
 * Cool: 256 rooms, one entry each at a time. Hot: 16 rooms with 64 senders each. Arms in fresh processes and databases of one server, all
 * started with the options a node is started with: the server that PLAYHOUSE_TEST_MONGO_URL names, else one that is started for this.
 * Where none can be had the benchmark is skipped.
 */
import { newId } from '../../system/ids.ts';
import { nodeFlags } from '../support/node-flags.ts';
import { OwnMongo } from '../support/own-mongo.ts';
import type { AppendRun } from './append-drive.ts';
import { type BenchOptions, BenchSkipped } from './bench.ts';
import type { MongoArm, MongoRequest } from './mongo-arms.ts';
import { BenchProcess } from './processes.ts';
import type { BenchResult, Row } from './result-table.ts';
import { shown } from './result-table.ts';
import { ratiosOf, spreadOf } from './stats.ts';

const shapes = {
  cool: { rooms: 256, senders: 256, arms: ['shared', 'single', 'store', 'actors'] },
  hot: { rooms: 16, senders: 1_024, arms: ['batches', 'store', 'actors'] },
} as const satisfies Record<string, { rooms: number; senders: number; arms: readonly MongoArm[] }>;
type Shape = keyof typeof shapes;
const names: Record<MongoArm, string> = {
  shared: 'raw insertMany of 64 rooms a call, 4 in flight',
  single: 'raw, one call an entry, 16 in flight',
  batches: 'raw insertMany, a call for each room',
  store: 'the store alone',
  actors: 'room actors',
};

export async function runMongo(options: BenchOptions): Promise<BenchResult> {
  const given = process.env['PLAYHOUSE_TEST_MONGO_URL'] || undefined; // Empty is not given, as for `cluster`.
  const own = given === undefined ? await startOwn() : undefined;
  try {
    return await measure(given ?? (own as OwnMongo).url, options);
  } finally {
    await own?.stop();
  }
}

async function startOwn(): Promise<OwnMongo> {
  try {
    return await OwnMongo.start(1);
  } catch (error) {
    throw new BenchSkipped(`no MongoDB: ${error instanceof Error ? error.message : String(error)}; give one with PLAYHOUSE_TEST_MONGO_URL`);
  }
}

async function measure(url: string, options: BenchOptions): Promise<BenchResult> {
  const found = new Map<string, AppendRun[]>();
  for (let round = 0; round < options.rounds; round += 1)
    for (const shape of Object.keys(shapes) as Shape[]) {
      const { rooms, senders, arms } = shapes[shape];
      const turned = [...arms.slice(round % arms.length), ...arms.slice(0, round % arms.length)];
      for (const arm of turned) {
        const database = `bench-${newId()}`;
        const { appendWarmUpMs: warmUpMs, appendMs: durationMs } = options;
        const run = await runArm({ arm, url, database, dir: '', rooms, senders, warmUpMs, durationMs });
        if (run.acked !== run.stored) throw new Error(`${shape}, ${names[arm]}: ${run.acked} acknowledged, ${run.stored} stored`);
        found.set(`${shape} ${arm}`, [...(found.get(`${shape} ${arm}`) ?? []), run]);
        options.progress(`mongo  round ${round + 1}/${options.rounds} ${shape} ${names[arm].padEnd(46)} ${shown(run.perSecond)}/s`);
      }
    }
  const perSecond = (shape: Shape, arm: MongoArm): number[] => (found.get(`${shape} ${arm}`) ?? []).map((run) => run.perSecond);
  const ratio = (what: string, shape: Shape, arm: MongoArm, to: MongoArm, value?: number): Row => ({
    what,
    unit: '×',
    spread: spreadOf(ratiosOf(perSecond(shape, arm), perSecond(shape, to))),
    ...(value !== undefined && { goal: { bound: 'at least', value } }),
  });
  return {
    bench: 'mongo: appends to MongoDB, majority and journal',
    rows: [
      ratio('cool rooms: the store / raw of 64 rooms a call', 'cool', 'store', 'shared', 0.8),
      ratio('cool rooms: room actors / raw of 64 rooms a call', 'cool', 'actors', 'shared', 0.8),
      ratio('cool rooms: room actors / raw, one call an entry', 'cool', 'actors', 'single', 8),
      ratio('hot rooms: the store / raw, a call for each room', 'hot', 'store', 'batches', 0.8),
      ratio('hot rooms: room actors / raw, a call for each room', 'hot', 'actors', 'batches', 0.8),
      ...(Object.keys(shapes) as Shape[]).flatMap((shape) =>
        shapes[shape].arms.flatMap((arm): Row[] => [
          { what: `${shape}: ${names[arm]}`, unit: 'messages/s', spread: spreadOf(perSecond(shape, arm)) },
          {
            what: `CPU of the writer, ${shape}: ${names[arm]}`,
            unit: 'µs/message',
            spread: spreadOf((found.get(`${shape} ${arm}`) ?? []).map((run) => run.cpuMicrosPerMessage ?? Number.NaN)),
          },
        ]),
      ),
    ],
    notes: [
      `cool: ${shapes.cool.rooms} rooms, one entry of each at a time; hot: ${shapes.hot.rooms} rooms, ${shapes.hot.senders} messages in flight`,
      'every arm: what was acknowledged equals what is stored afterwards; else the run fails',
      'room actors: everything behind the sockets; nobody reads. Writer and mongod share the cores of this machine',
    ],
  };
}

async function runArm(request: MongoRequest): Promise<AppendRun> {
  const child = new BenchProcess('test/bench/mongo-arms.js', 'alone', { nodeArgs: nodeFlags });
  try {
    return await child.call<AppendRun>('run', request);
  } finally {
    await child.stop();
  }
}
