/**
 * Settings of the parts that nodes share. Not set: their embedded twins, for one node alone.
 */
import { flag, integer, isAddress, isHost, list, optionalText, type Setting, secretBytesMin, text } from './setting-kinds.ts';

/** Where a state server that stands alone listens unless told otherwise: nodes must find it there again after a restart. */
export const stateServerPort = 3100;

export const clusterSettings = {
  mongoUrl: optionalText({
    isSecret: true,
    rule: 'a URL such as mongodb://db1.example.org,db2.example.org/playhouse?replicaSet=rs0',
    accepts: (value) => /^mongodb(\+srv)?:\/\/[^\s/]+/.test(value),
    description: 'MongoDB, for any number of nodes on the same rooms. Not set: the embedded store, for this node alone.',
  }),
  allowUnsafeStore: flag({
    defaultText: 'false',
    description: 'Serve from a MongoDB that is not a replica set too: what it acknowledges can be lost.',
  }),
  storeTail: flag({
    defaultText: 'true',
    description:
      'Follow a change stream of MongoDB, by which entries of other nodes are found within milliseconds. Off: heads are asked for every second or two.',
  }),
  kafkaBrokers: list({
    rule: 'a comma list of hosts with ports such as kafka1.example.org:9092, kafka2.example.org:9092',
    accepts: isAddress,
    defaultText: 'empty',
    description:
      'Kafka, by which nodes tell each other what they stored. Empty: they find it in MongoDB, some milliseconds later. Needs CHAT_MONGO_URL and CHAT_CLUSTER_SECRET.',
  }),
  kafkaTopicPrefix: text({
    default: '',
    defaultText: 'empty',
    rule: 'up to 64 of A-Z a-z 0-9 . _ -',
    accepts: (value) => /^[A-Za-z0-9._-]{0,64}$/.test(value),
    description: 'Put before the names of topics and consumer groups, for several clusters on one Kafka.',
  }),
  redisUrl: optionalText({
    isSecret: true,
    rule: 'a URL such as redis://redis.example.org:6379/0 (rediss: with TLS)',
    accepts: (value) => /^rediss?:\/\/[^\s/]+/.test(value),
    description:
      'Redis: claims of node ids, the list of nodes, shared limits, revocations at once, cached member lists, what the state server knows. Chat never waits for it.',
  }),
  redisKeyPrefix: text({
    default: 'playhouse',
    rule: '1 to 64 of A-Z a-z 0-9 . _ -',
    accepts: (value) => /^[A-Za-z0-9._-]{1,64}$/.test(value),
    description: 'First part of every key in Redis, for several clusters on one Redis.',
  }),
  clusterSecret: optionalText({
    isSecret: true,
    rule: `at least ${secretBytesMin} bytes long`,
    accepts: (value) => Buffer.byteLength(value) >= secretBytesMin,
    description:
      'Secret of all nodes: they sign what they tell each other with it. Needed with Kafka and for the links between nodes. Weak and sample values are refused.',
  }),
  clusterHost: text({
    default: '127.0.0.1',
    rule: 'an address or a host name, without scheme and port',
    accepts: isHost,
    description: 'Address on which other nodes reach this one directly. Used with CHAT_REDIS_URL and CHAT_CLUSTER_SECRET.',
  }),
  clusterPort: integer({
    default: 0,
    min: 0,
    max: 65_535,
    description: 'Port on which other nodes reach this one directly; 0: any free one, which others learn by Redis.',
  }),
  clusterAddress: text({
    default: '',
    defaultText: 'CHAT_CLUSTER_HOST (where that is 0.0.0.0, the name of the machine) and the port it listens on',
    rule: 'a host and a port such as node1.example.org:3200, or empty',
    accepts: (value) => value === '' || isAddress(value),
    description: 'Address by which other nodes are told to reach this one, where it differs from what it listens on.',
  }),
  stateServer: text({
    default: '',
    defaultText: 'empty',
    rule: 'a host and a port such as state.example.org:3100 or [::1]:3100, or empty',
    accepts: (value) => value === '' || isAddress(value),
    description:
      'Address of the state server, which knows who is online on every node. Empty: one inside this process. An older one will do for this node alone.',
  }),
  stateHost: text({
    default: '127.0.0.1',
    rule: 'an address or a host name, without scheme and port',
    accepts: isHost,
    description:
      'Address the state server listens on, the one inside a node or that of npm run state-server. Not loopback: CHAT_STATE_SECRET is required.',
  }),
  statePort: integer({
    default: 0,
    min: 0,
    max: 65_535,
    description: `Port the state server listens on; 0: any free one inside a node, ${stateServerPort} for npm run state-server.`,
  }),
  stateHttpAddress: text({
    default: '',
    defaultText: 'empty',
    rule: 'a host and a port such as 127.0.0.1:3101 or [::1]:3101, or empty',
    accepts: (value) => value === '' || isAddress(value),
    description:
      'Where npm run state-server answers /healthz, /readyz, /version and /metrics; CHAT_OPERATOR_ACCESS says to whom. Empty: nowhere.',
  }),
  stateSecret: optionalText({
    isSecret: true,
    rule: `at least ${secretBytesMin} bytes long`,
    accepts: (value) => Buffer.byteLength(value) >= secretBytesMin,
    description:
      'Secret shared by the state server and its nodes. Set: nobody is served without it, older chat servers neither. Weak and sample values are refused.',
  }),
} as const satisfies Record<string, Setting<unknown>>;
