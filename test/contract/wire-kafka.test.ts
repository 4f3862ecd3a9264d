/** The contract of Wire, kept by the Kafka twin on a real broker. */
import { afterEach, beforeEach, describe, vi } from 'vitest';
import { KafkaCluster } from '../support/kafka-wires.ts';
import { wireContract } from './wire.contract.ts';

const brokers = process.env['PLAYHOUSE_TEST_KAFKA_BROKERS'];

describe.skipIf(brokers === undefined)('the wire over Kafka (needs PLAYHOUSE_TEST_KAFKA_BROKERS: npm run services)', () => {
  vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
  let cluster: KafkaCluster;
  beforeEach(async () => {
    cluster = new KafkaCluster(brokers ?? '');
    await cluster.makeTopics();
  });
  afterEach(() => cluster.close());
  wireContract({ join: async (...nodes) => (await cluster.join(...nodes)).map(({ wire }) => wire) });
});
