/**
 * Main: `npm run services -- [mongo] [redis] [kafka] [--members 3] [--kafka 4.2] [--stop]`: real servers without containers.
 *
 * Starts what is named, or all, on free ports, and says where; they go on until `--stop`, which ends what this program started and
 * nothing else. Programs are kept in a cache folder (PLAYHOUSE_CACHE, else the user's), data under data/services.
 * Exit code 0 when everything named runs.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { kafka } from './kafka.ts';
import { mongo } from './mongo.ts';
import { lives } from './processes.ts';
import { redis } from './redis.ts';
import { MissingTool, type Service, type ServiceOptions, type Started } from './service.ts';

const services: readonly Service[] = [mongo, redis, kafka];
const folder = resolve('data', 'services');
const record = join(folder, 'started.json');

interface Running extends Started {
  readonly name: string;
  readonly folder: string;
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      stop: { type: 'boolean', default: false },
      members: { type: 'string', default: '1' },
      kafka: { type: 'string', default: '3.9' },
      env: { type: 'string' },
    },
  });
  if (values.stop) return stop();
  const chosen = positionals.length === 0 ? services : positionals.map(named);
  const members = Number(values.members);
  if (!Number.isInteger(members) || members < 1 || members > 7) throw new MissingTool('--members must be a whole number from 1 to 7');
  if (values.kafka !== '3.9' && values.kafka !== '4.2') throw new MissingTool('--kafka must be 3.9 or 4.2');
  await start(chosen, { members, kafka: values.kafka }, values.env);
}

function named(name: string): Service {
  const service = services.find((each) => each.name === name);
  if (!service)
    throw new MissingTool(`no service ${JSON.stringify(name.slice(0, 32))}; there are ${services.map((each) => each.name).join(', ')}`);
  return service;
}

async function start(chosen: readonly Service[], options: ServiceOptions, environmentFile: string | undefined): Promise<void> {
  const cache = process.env['PLAYHOUSE_CACHE'] ?? join(homedir(), '.cache', 'playhouse');
  mkdirSync(cache, { recursive: true });
  mkdirSync(folder, { recursive: true });
  const running = [...recorded()];
  for (const service of chosen) {
    const known = running.find(({ name, pids, folder: own }) => name === service.name && pids.every((pid) => lives(pid, own)));
    if (known) {
      say(`${service.name.padEnd(6)} runs already`);
      continue;
    }
    const tell = (text: string) => say(`${service.name.padEnd(6)} ${text}`);
    await service.install(cache, options, tell);
    const own = mkdtempSync(join(folder, `${service.name}-`));
    const started = await service.start(cache, own, options, tell);
    running.push({ ...started, name: service.name, folder: own });
    writeFileSync(record, JSON.stringify(running, null, 2));
  }
  const here = running.filter(({ name }) => chosen.some((service) => service.name === name));
  const environment = Object.entries(Object.assign({}, ...here.map((each) => each.environment)) as Record<string, string>);
  if (environmentFile !== undefined)
    writeFileSync(environmentFile, environment.map(([name, value]) => `export ${name}='${value}'\n`).join(''));
  say('');
  for (const { name, address } of here) say(`${name.padEnd(6)} ${address}`);
  say('\nFor the tests and nodes of this shell:');
  for (const [name, value] of environment) say(`  export ${name}='${value}'`);
  say('Ended by: npm run services -- --stop');
}

function recorded(): readonly Running[] {
  return existsSync(record) ? (JSON.parse(readFileSync(record, 'utf8')) as Running[]) : [];
}

/** Ends what was started, and forgets its data. */
async function stop(): Promise<void> {
  const running = recorded();
  for (const { name, pids, folder: own } of running) {
    const left = () => pids.filter((pid) => lives(pid, own));
    for (const pid of left()) process.kill(pid, 'SIGTERM');
    for (let waited = 0; left().length > 0 && waited < 100; waited += 1) await new Promise((done) => setTimeout(done, 100));
    for (const pid of left()) process.kill(pid, 'SIGKILL');
    rmSync(own, { recursive: true, force: true });
    say(`${name.padEnd(6)} ended`);
  }
  rmSync(record, { force: true });
  if (running.length === 0) say('nothing was started');
}

main().catch((error: unknown) => {
  say(error instanceof MissingTool ? `cannot: ${error.message}` : String(error instanceof Error ? error.message : error));
  process.exit(1);
});
