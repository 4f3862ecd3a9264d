/**
 * Bounds towards the outside: other nodes, Redis, Kafka, the community service and the notification service.
 */
import { usersWatchedMax } from '../actors/whereabouts.ts';
import { type Bound, count, kB } from './bounds-row.ts';
import { sharedKeysMax } from './cluster/cluster-limits.ts';
import { nodesMax } from './cluster/cluster-view-redis.ts';
import { questionBytesMax, questionsMax, waitingBytesMax } from './cluster/node-link.ts';
import { acceptedMax } from './cluster/node-link-tcp.ts';
import { redisInFlightMax } from './cluster/redis-connection.ts';
import { valueBytesMax as cachedBytesMax } from './cluster/shared-cache.ts';
import { bytesMax as cacheBytesMax, valuesMax as cacheValuesMax } from './cluster/shared-cache-memory.ts';
import { asksMax, putBytesMax } from './cluster/shared-cache-redis.ts';
import { listBytesMax, listIdsMax } from './directory/directory.ts';
import { idsKeptMax, listsKeptMax } from './directory/directory-cached.ts';
import { callsMax as directoryCallsMax } from './directory/directory-http.ts';
import { absentIdsMax, noteAgeMaxMs, notesWaitingMax } from './directory/notifier.ts';
import { valueBytesMax } from './wire/event-record.ts';
import { charsWaitingMax, recordsWaitingMax } from './wire/outgoing-queue.ts';

export const outsideBounds = {
  'Forwards waiting for the answer of one other node': {
    bound: `${count(questionsMax, 'forwards')}, ${kB(waitingBytesMax)} not sent yet`,
    whenFull: 'not forwarded; the room appends itself',
    seenIn: 'playhouse_node_link_waiting',
  },
  'One forward to another node, and its answer': {
    bound: kB(questionBytesMax),
    whenFull: 'not forwarded; the room appends itself',
    seenIn: 'playhouse_node_link_events_total',
  },
  'Connections from other nodes': {
    bound: count(acceptedMax, 'connections, proved or not'),
    whenFull: 'a further one is closed without a word',
    seenIn: 'playhouse_node_link_events_total',
  },
  'Users and addresses counted over all nodes': {
    bound: `${count(sharedKeysMax, 'users')}, as many addresses, for each limit`,
    whenFull: 'further ones are counted by each node alone',
  },
  'Calls to Redis': {
    bound: count(redisInFlightMax, 'under way'),
    whenFull: 'refused at once; whoever asked goes on without Redis',
    seenIn: 'playhouse_redis_calls_in_flight',
  },
  'Values cached in Redis': {
    bound: `${count(asksMax, 'read at once')}, ${kB(putBytesMax)} being written, ${kB(cachedBytesMax)} each`,
    whenFull: 'not known, not kept: looked up again',
    seenIn: 'playhouse_redis_calls_in_flight',
  },
  'Nodes known by Redis': {
    bound: count(nodesMax, 'nodes'),
    whenFull: 'further ones are not seen and not linked to; chat reaches them by the store',
    seenIn: 'playhouse_cluster_nodes',
  },
  'Records waiting for Kafka': {
    bound: `${count(recordsWaitingMax, 'records')}, ${count(charsWaitingMax, 'characters')} of text`,
    whenFull: 'the oldest go; other nodes find their entries in the store',
    seenIn: 'playhouse_wire_waiting',
  },
  'One record of Kafka': {
    bound: kB(valueBytesMax),
    whenFull: 'it says the number of the entry only; other nodes read it',
    seenIn: 'playhouse_wire_received_total',
  },
  'Questions to the community service': {
    bound: count(directoryCallsMax, 'calls at once'),
    whenFull: 'unavailable at once: ROOM_UNAVAILABLE with retryAfterMs',
    seenIn: 'playhouse_directory_calls_total',
  },
  'One answer of the community service': {
    bound: `${kB(listBytesMax)}, ${count(listIdsMax, 'ids')}`,
    whenFull: 'it is no answer: unavailable',
    seenIn: 'playhouse_directory_calls_total',
  },
  'Member lists kept': {
    bound: `${count(listsKeptMax, 'lists')}, ${count(idsKeptMax, 'ids')}`,
    whenFull: 'the one used longest ago goes; the shared cache or the service gives it again',
  },
  'Values kept in place of Redis': {
    bound: `${count(cacheValuesMax, 'values')}, ${kB(cacheBytesMax)}`,
    whenFull: 'the one put first goes; it is looked up again',
  },
  'Messages waiting for the notification service': {
    bound: `${count(notesWaitingMax, 'messages')}, each for ${noteAgeMaxMs / 1_000} s`,
    whenFull: 'the oldest are not notified of, counted',
    seenIn: 'playhouse_notifications_waiting',
  },
  'Ids in one notification': { bound: count(absentIdsMax, 'ids'), whenFull: 'the service is told that there are more' },
  'Users watched for notifications': {
    bound: count(usersWatchedMax, 'users'),
    whenFull: 'who was asked about longest ago goes, after a minute; till then further ones count as absent',
    seenIn: 'playhouse_presence_watches',
  },
} as const satisfies Readonly<Record<string, Bound>>;
