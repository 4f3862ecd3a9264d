/**
 * Who came and who went, as other services read it from state-topic of a real Kafka: each once, with the rooms a real MongoDB knows.
 * Nodes and state server are processes. Needs PLAYHOUSE_TEST_KAFKA_BROKERS and PLAYHOUSE_TEST_MONGO_URL.
 */
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import type { StateEvent } from '../../system/wire/wire.ts';
import { ask } from '../support/gateway-client.ts';
import { KafkaCluster } from '../support/kafka-wires.ts';
import { PresenceStage, type StagedNode } from '../support/presence-stage.ts';
import { waitUntil } from '../support/store-processes.ts';

const brokers = process.env.PLAYHOUSE_TEST_KAFKA_BROKERS ?? '';
const mongoUrl = process.env.PLAYHOUSE_TEST_MONGO_URL ?? '';

describe.skipIf(brokers === '' || mongoUrl === '')('on state-topic (real Kafka and MongoDB)', () => {
  let cluster: KafkaCluster;
  let database: MongoDatabase;
  let env: Record<string, string>;
  let stage: PresenceStage | undefined;
  const heard: StateEvent[] = [];
  const of = (user: string): StateEvent[] => heard.filter(({ userId }) => userId === user);
  const hears = (user: string, ...types: StateEvent['type'][]): Promise<void> =>
    waitUntil(
      `${user}: ${types.join(', ')}`,
      () => of(user).length >= types.length && types.every((type, i) => of(user)[i]?.type === type),
      15_000,
      () => JSON.stringify(heard) + (stage?.dump() ?? ''),
    );

  /** Of voice channels, these and no others: presence is told by somebody else, and so sooner or later. */
  const hearsOf = (user: string, ...types: StateEvent['type'][]): Promise<void> =>
    waitUntil(
      `${user} in voice channels: ${types.join(', ')}`,
      () =>
        isDeepStrictEqual(
          of(user).flatMap(({ type, channelId }) => (channelId === undefined ? [] : [type])),
          types,
        ),
      15_000,
      () => JSON.stringify(heard) + (stage?.dump() ?? ''),
    );

  beforeEach(async () => {
    heard.length = 0;
    const clusterSecret = newId() + newId();
    cluster = new KafkaCluster(brokers);
    await cluster.makeTopics();
    const name = `state-topic-${newId().slice(0, 8)}`;
    database = await connectMongo({ url: mongoUrl, database: name, clock: systemClock });
    await createIndexes(database.db);
    const { wire } = cluster.open('reader', { clusterSecret });
    wire.subscribe({ wants: () => false, onEntries: () => {}, onState: (event) => void heard.push(event) });
    await waitUntil('the reader hears', () => wire.health() === 'up', 20_000);
    env = {
      CHAT_MONGO_URL: mongoUrl.replace(/\/(\?|$)/, `/${name}$1`),
      CHAT_KAFKA_BROKERS: brokers,
      CHAT_KAFKA_TOPIC_PREFIX: cluster.prefix,
      CHAT_CLUSTER_SECRET: clusterSecret,
    };
  }, 60_000);
  afterEach(async () => {
    await stage?.stop();
    stage = undefined;
    await database.db.dropDatabase();
    await database.close();
    await cluster.close();
  }, 60_000);

  it('two nodes and one state server tell each transition once, with the rooms of the user', async () => {
    stage = await PresenceStage.start(['one', 'two'], env);
    const [one, two] = stage.nodes as [StagedNode, StagedNode];
    const [here, there] = [await stage.connect(one, 'ada'), await stage.connect(two, 'ada')];
    await stage.connect(two, 'bob');
    await hears('ada', 'connect');
    await ask(here, 'room:create', { kind: 'group', id: 'friends', members: ['bob'] });
    await ask(here, 'room:create', { kind: 'channel', id: '31', community: '3' });
    here.disconnect();
    there.disconnect();
    await hears('ada', 'connect', 'disconnect');
    await stage.connect(one, 'ada');
    await hears('ada', 'connect', 'disconnect', 'connect');
    await two.process.kill('SIGKILL');
    await hears('bob', 'connect', 'disconnect');
    const rooms = ['community/3', 'direct/friends', 'group/31'];
    const seen = heard.map((event) => ({ ...event, ids: [...(event.ids ?? [])].sort() }));
    expect(seen.filter(({ userId }) => userId === 'ada')).toEqual([
      { type: 'connect', userId: 'ada', state: 'online', ids: [] },
      { type: 'disconnect', userId: 'ada', state: 'offline', ids: rooms },
      { type: 'connect', userId: 'ada', state: 'online', ids: rooms },
    ]);
    expect(seen.filter(({ userId }) => userId === 'bob')).toEqual([
      { type: 'connect', userId: 'bob', state: 'online', ids: [] },
      { type: 'disconnect', userId: 'bob', state: 'offline', ids: ['direct/friends'] },
    ]);
    expect(heard).toHaveLength(5);
  }, 90_000);

  it('a node that is killed, or stops, leaves nobody in a voice channel: each exit is told once, of a community or of a room', async () => {
    stage = await PresenceStage.start(['one', 'two'], env);
    const [one, two] = stage.nodes as [StagedNode, StagedNode];
    const [ada, bob, eve] = [await stage.connect(one, 'ada'), await stage.connect(two, 'bob'), await stage.connect(two, 'eve')];
    await ask(ada, 'room:create', { kind: 'group', id: 'friends', members: ['bob', 'eve'] });
    await ask(ada, 'room:create', { kind: 'channel', id: '31', community: '3', members: ['bob', 'eve'] });
    for (const user of ['ada', 'bob', 'eve']) await hears(user, 'connect');
    await ask(bob, 'voice:enter', { community: '3', channel: 'x' });
    await ask(eve, 'voice:enter', { community: 'friends', channel: 'call' });
    await ask(ada, 'voice:enter', { community: '3', channel: 'x' });
    await hears('bob', 'connect', 'enter');
    await hears('eve', 'connect', 'enter');
    await two.process.kill('SIGKILL');
    await hears('bob', 'connect', 'enter', 'exit-community', 'disconnect');
    await hears('eve', 'connect', 'enter', 'exit-room', 'disconnect');
    expect(of('bob')[2]).toEqual({ type: 'exit-community', userId: 'bob', communityId: '3', channelId: 'x' });
    expect(of('eve')[2]).toEqual({ type: 'exit-room', userId: 'eve', communityId: 'friends', channelId: 'call' });
    expect(await one.process.kill('SIGTERM')).toBe(0);
    await hears('ada', 'connect', 'enter', 'exit-community', 'disconnect');
    expect(heard).toHaveLength(12);
  }, 90_000);

  it('whoever loses one node and goes on in the voice channel by another has not left it', async () => {
    stage = await PresenceStage.start(['one', 'two'], env);
    const [one, two] = stage.nodes as [StagedNode, StagedNode];
    const [ada, bob] = [await stage.connect(one, 'ada'), await stage.connect(one, 'bob')];
    await ask(ada, 'room:create', { kind: 'channel', id: '31', community: '3', members: ['bob'] });
    for (const socket of [bob, ada]) await ask(socket, 'voice:enter', { community: '3', channel: 'x' });
    const again = await stage.connect(two, 'bob');
    bob.io.engine.close();
    await ask(again, 'voice:enter', { community: '3', channel: 'x' });
    // She is lost after him and does not come back: when she is out, his time was over, too.
    ada.io.engine.close();
    await hearsOf('ada', 'enter', 'exit-community');
    await ask(again, 'voice:leave', {});
    await hearsOf('bob', 'enter', 'enter', 'exit-community');
  }, 90_000);

  it('a node with a state server of its own tells it too, to the last when it stops in order', async () => {
    stage = await PresenceStage.start([], env);
    const alone = await stage.startNode('alone', { CHAT_STATE_SERVER: '' });
    const socket = await stage.connect(alone, 'eve');
    await ask(socket, 'room:create', { kind: 'group', id: 'attic', members: [] });
    await hears('eve', 'connect');
    await ask(socket, 'voice:enter', { community: 'attic', channel: 'call' });
    await hears('eve', 'connect', 'enter');
    expect(await alone.process.kill('SIGTERM')).toBe(0);
    await hears('eve', 'connect', 'enter', 'exit-room', 'disconnect');
    const call = { userId: 'eve', communityId: 'attic', channelId: 'call' };
    expect(heard).toEqual([
      { type: 'connect', userId: 'eve', state: 'online', ids: [] },
      { type: 'enter', ...call },
      { type: 'exit-room', ...call },
      { type: 'disconnect', userId: 'eve', state: 'offline', ids: ['direct/attic'] },
    ]);
  }, 90_000);

  it('a state server that is told to stop ends with 0, and takes nobody for gone', async () => {
    stage = await PresenceStage.start(['one'], env);
    const [one] = stage.nodes as [StagedNode];
    const socket = await stage.connect(one, 'ida');
    await hears('ida', 'connect');
    socket.disconnect();
    await hears('ida', 'connect', 'disconnect');
    expect(await stage.stateServer.kill('SIGTERM')).toBe(0);
    expect(heard).toHaveLength(2);
  }, 90_000);
});
