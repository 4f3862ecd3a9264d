/**
 * ClusterRun: `npm run cluster` as a stranger uses it: three people chat, a node is killed with -9, Ctrl-C ends it all.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { fetchDevToken } from '../../gateway/client/dev-token.ts';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo } from '../../system/store/mongo-database.ts';
import { freePorts } from '../services/processes.ts';
import { servers } from './cluster-stage.ts';

const program = fileURLToPath(new URL('../../dist/test/cluster-run/main.js', import.meta.url));
const startMs = 120_000;
const moments = { timeout: 30_000, interval: 50 };

/** The program in a folder of its own, on servers that run already, in a database of its own. */
class Run {
  readonly dir = mkdtempSync(join(tmpdir(), 'playhouse-run-'));
  readonly name = `run-${newId().slice(0, 12)}`;
  output = '';
  child: ChildProcess | undefined;
  ended: Promise<number | null> = Promise.resolve(null);

  private get env(): Record<string, string> {
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CHAT_'))) as Record<string, string>;
    return {
      ...own,
      CHAT_MONGO_URL: servers.mongo.replace(/\/(\?|$)/, `/${this.name}$1`),
      ...(servers.redis !== '' && { CHAT_REDIS_URL: servers.redis, CHAT_REDIS_KEY_PREFIX: this.name }),
      ...(servers.kafka !== '' && { CHAT_KAFKA_BROKERS: servers.kafka, CHAT_KAFKA_TOPIC_PREFIX: `${this.name}.` }),
    };
  }

  private get without(): string[] {
    const left = [...(servers.redis === '' ? ['redis'] : []), ...(servers.kafka === '' ? ['kafka'] : [])];
    return left.length === 0 ? [] : ['--without', left.join(',')];
  }

  async start(port: number): Promise<void> {
    this.output = '';
    const args = [program, '--nodes', '3', '--port', String(port), ...this.without];
    const child = spawn(process.execPath, args, { cwd: this.dir, env: this.env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = new Promise((resolve) => child.once('exit', resolve));
    await expect
      .poll(() => this.output.includes('Ctrl-C ends all.') || child.exitCode !== null, { ...moments, timeout: startMs })
      .toBe(true);
    expect(this.output).toContain('The cluster is up');
  }

  /** What it says runs, by the record it keeps. */
  pids(): readonly number[] {
    const record = JSON.parse(readFileSync(join(this.dir, 'data', 'cluster', 'run.json'), 'utf8')) as { members: { pid: number }[] };
    return record.members.map(({ pid }) => pid);
  }

  type(line: string): void {
    this.child?.stdin?.write(`${line}\n`);
  }

  command(...args: string[]): Promise<string> {
    const child = spawn(process.execPath, [program, ...args], { cwd: this.dir, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
    return new Promise((resolve) => child.once('close', () => resolve(said)));
  }

  async clear(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.command('--stop');
    const database = await connectMongo({ url: servers.mongo, database: this.name, clock: systemClock });
    await database.db.dropDatabase();
    await database.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

interface Person {
  readonly client: ChatClient;
  readonly seen: string[];
  readonly states: string[];
  readonly on: () => string | undefined;
}

describe.skipIf(servers.mongo === '')('npm run cluster (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  let run: Run | undefined;
  const people: Person[] = [];
  afterEach(async () => {
    for (const { client } of people.splice(0)) client.end();
    await run?.clear();
  });

  async function enter(user: string, urls: readonly string[]): Promise<Person> {
    const client = new ChatClient();
    const [seen, states]: [string[], string[]] = [[], []];
    let url: string | undefined;
    client.on('state', (change) => {
      states.push(change.state);
      if (change.state === 'online') url = change.url;
    });
    client.on('entries', ({ entries }) => seen.push(...entries.flatMap(({ text }) => (text === undefined ? [] : [text]))));
    const person = { client, seen, states, on: () => url };
    people.push(person);
    await client.connect({ url: urls, token: (own) => fetchDevToken(own, user) });
    return person;
  }

  it(
    'three people chat, one through the load balancer; a node killed with -9 is noticed by its own people only, who are back and miss nothing; Ctrl-C ends all in order',
    async () => {
      run = new Run();
      // The ports beside it may be taken: nine free ones in a row are found by trying.
      const base = await freeRow();
      await run.start(base);
      const url = (index: number): string => `http://127.0.0.1:${base + index}`;
      const hasBalancer = run.output.includes('balancer  ');
      const [one, two, three] = [url(1), url(2), url(3)];
      const alice = await enter('alice', [one]);
      await alice.client.createRoom({ kind: 'group', id: 'lobby', public: true });
      const bob = await enter('bob', [hasBalancer ? url(0) : two]);
      const carol = await enter('carol', [three, one, two]);
      for (const { client } of [bob, carol]) await client.join('lobby');
      for (const { client } of people) await client.open('lobby', { since: 0 });
      const said: string[] = [];
      const say = async ({ client }: Person, text: string): Promise<void> => {
        said.push(text);
        await client.send('lobby', text);
      };
      for (const person of people) await say(person, `hello ${said.length}`);
      for (const { seen } of people) await expect.poll(() => seen, moments).toEqual(said);
      expect(carol.on()).toBe(three);

      // Through the balancer bob may be on the third as well: then he is one of those who come back.
      run.type('kill 3');
      await expect.poll(() => run?.output ?? '', moments).toContain('node-3 ENDED by SIGKILL');
      for (let round = 0; round < 5; round += 1) await say(alice, `while carol is away ${round}`);
      await say(carol, 'carol is back');
      await say(bob, 'bob was here');
      for (const { seen } of people) await expect.poll(() => seen, moments).toEqual(said);
      expect(alice.states.filter((state) => state === 'offline')).toEqual([]);
      expect([one, two]).toContain(carol.on());
      if (hasBalancer) expect((await fetch(`${url(0)}/readyz`)).status).toBe(200);

      run.type('start 3');
      await expect.poll(() => run?.output ?? '', moments).toContain('node-3 is up');
      const dora = await enter('dora', [three]);
      await dora.client.join('lobby');
      expect((await dora.client.history('lobby', { before: 1_000 })).entries.map(({ text }) => text)).toEqual(said);

      const pids = run.pids();
      expect(pids).toHaveLength(hasBalancer ? 5 : 4);
      run.child?.kill('SIGINT');
      expect(await run.ended).toBe(0);
      const end = run.output.slice(run.output.indexOf('ending: nodes drain'));
      const order = [...end.matchAll(/^(node|balancer|state)(?:-\d)? +ended$/gm)].map(([, name]) => name);
      expect(order).toEqual(['node', 'node', 'node', ...(hasBalancer ? ['balancer'] : []), 'state']);
      expect(pids.filter(isAlive)).toEqual([]);
    },
    startMs * 2,
  );

  it(
    'what is left after a kill -9 of the program is cleared away by the next run, and by --stop',
    async () => {
      run = new Run();
      const base = await freeRow();
      await run.start(base);
      const first = run.pids();
      run.child?.kill('SIGKILL');
      await run.ended;
      await run.start(base);
      expect(run.output).toContain('cleared away what an earlier run left: node-1');
      expect(first.filter(isAlive)).toEqual([]);
      expect(await run.command('--nodes', '3')).toContain('a cluster runs here already');
      const second = run.pids();
      expect(await run.command('--stop')).toContain('nothing of a cluster runs here');
      expect(await run.ended).toBe(0);
      expect(second.filter(isAlive)).toEqual([]);
    },
    startMs * 3,
  );
});

/** The first of four ports in a row, and of one a hundred ahead, that are free at the moment. */
async function freeRow(): Promise<number> {
  const { createServer } = await import('node:net');
  const isFree = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const server = createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
  for (let tries = 0; tries < 50; tries += 1) {
    const [start = 0] = await freePorts(1);
    const base = 10_000 + (start % 20_000);
    const row = await Promise.all([0, 1, 2, 3, 100].map((ahead) => isFree(base + ahead)));
    if (row.every(Boolean)) return base;
  }
  throw new Error('no four free ports in a row');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
