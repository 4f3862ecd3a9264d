/**
 * Topics: `npm run topics [-- --partitions 6 --replication 3]` makes the six topics of the wire in Kafka. Safe to run again: a topic that
 * is there stays as it is, and is shown.
 *
 * Exit code 0 when all six are there, 1 with one line that says why not.
 */
import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from '../config/load.ts';
import { describeCause } from './cause.ts';
import { systemClock } from './clock.ts';
import { Fault } from './errors.ts';
import { createLogger } from './logger.ts';
import { createKafkaClient } from './wire/client-kafka.ts';
import { makeTopics } from './wire/topics-kafka.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Rooms are spread over them; other services can share the work by as many. */
const partitionsDefault = 6;
const partitionsMax = 1_000;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { partitions: { type: 'string' }, replication: { type: 'string' } } });
  const partitions = wholeNumber('--partitions', values.partitions ?? String(partitionsDefault), partitionsMax);
  const replication = values.replication === undefined ? undefined : wholeNumber('--replication', values.replication, 32);
  const { kafkaBrokers: brokers, kafkaTopicPrefix: prefix } = loadConfig();
  if (brokers.length === 0) throw new Fault('NO_KAFKA', 'set CHAT_KAFKA_BROKERS; a node alone needs no topics');
  const log = createLogger({ level: 'error', base: {}, destination: { write: (line: string) => void process.stderr.write(line) } });
  const kafka = createKafkaClient({ brokers, clientId: 'topics', log });
  const topics = await makeTopics(
    kafka,
    (topic) => prefix + topic,
    { partitions, ...(replication !== undefined && { replication }) },
    systemClock,
  );
  say(`Kafka at ${brokers.join(', ')} has the six topics:`);
  for (const topic of topics) {
    const shape = `${topic.partitions} partitions, ${topic.replication} ${topic.replication === 1 ? 'copy' : 'copies'}`;
    say(`  ${topic.name.padEnd(prefix.length + 20)} ${shape}${topic.isNew ? ', made now' : ', was there'}`);
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new Fault('BAD_OPTION', `${name} must be a whole number from 1 to ${max}`);
  return value;
}

/** In the words of who runs it, where the driver's are not. */
function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.message;
  // Several topics fail for one reason.
  const [first = error] = (error as { readonly errors?: readonly unknown[] }).errors ?? [];
  const { name, msg } = describeCause(first);
  if (/ECONNREFUSED|ENOTFOUND|Connection (error|timeout)|ETIMEDOUT/.test(msg))
    return 'no broker of CHAT_KAFKA_BROKERS answers; is Kafka running?';
  if (/replication/i.test(msg)) return 'Kafka has fewer brokers than --replication asks for';
  if (/authoriz/i.test(msg)) return 'this user may not make topics';
  return `${name}: ${msg}`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    say(error instanceof ConfigError ? error.message : `cannot make the topics: ${reasonOf(error)}`);
    process.exit(1);
  },
);
