/**
 * Main: `npm run services -- [mongo] [redis] [kafka] [--members 3] [--kafka 4.2] [--env FILE] [--stop]`: real servers without containers.
 *
 * Starts what is named, or all, on free ports, and says where; they go on until `--stop`, which ends what this program started and
 * nothing else. Where CHAT_MONGO_URL, CHAT_REDIS_URL or CHAT_KAFKA_BROKERS is given, that server is used. Programs are kept in a cache
 * folder (PLAYHOUSE_CACHE, else the user's), data under data/services. Exit code 0 when everything named runs.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { kafka } from './kafka.ts';
import { mongo } from './mongo.ts';
import { redis } from './redis.ts';
import { MissingTool, type Service } from './service.ts';
import { type InUse, ServiceSet } from './service-set.ts';

const services: readonly Service[] = [mongo, redis, kafka];

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
  const set = new ServiceSet(resolve('data', 'services'), (name, text) => say(`${name.padEnd(6)} ${text}`));
  if (values.stop) {
    if ((await set.stop()).length === 0) say('nothing was started');
    return;
  }
  const chosen = positionals.length === 0 ? services : positionals.map(named);
  const members = Number(values.members);
  if (!Number.isInteger(members) || members < 1 || members > 7) throw new MissingTool('--members must be a whole number from 1 to 7');
  if (values.kafka !== '3.9' && values.kafka !== '4.2') throw new MissingTool('--kafka must be 3.9 or 4.2');
  const inUse: InUse[] = [];
  for (const service of chosen) inUse.push(await set.use(service, { members, kafka: values.kafka }, process.env));
  report(inUse, values.env);
}

function named(name: string): Service {
  const service = services.find((each) => each.name === name);
  if (!service)
    throw new MissingTool(`no service ${JSON.stringify(name.slice(0, 32))}; there are ${services.map((each) => each.name).join(', ')}`);
  return service;
}

function report(inUse: readonly InUse[], environmentFile: string | undefined): void {
  const environment = inUse.flatMap((each) => Object.entries(each.environment));
  // It may hold a password that was given.
  if (environmentFile !== undefined)
    writeFileSync(environmentFile, environment.map(([name, value]) => `export ${name}='${value}'\n`).join(''), { mode: 0o600 });
  say('');
  for (const { name, address } of inUse) say(`${name.padEnd(6)} ${address}`);
  say('\nFor the tests and nodes of this shell:');
  if (environmentFile !== undefined) say(`  . ${environmentFile}`);
  else for (const { environment: own, origin } of inUse) if (origin !== 'given') printExports(own);
  say('Ended by: npm run services -- --stop');
}

function printExports(environment: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(environment)) say(`  export ${name}='${value}'`);
}

main().catch((error: unknown) => {
  say(error instanceof MissingTool ? `cannot: ${error.message}` : String(error instanceof Error ? error.message : error));
  process.exit(1);
});
