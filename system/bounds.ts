/**
 * Bounds: every queue of a node, how much it holds, what happens when it is full, and where one sees it coming.
 *
 * The source of the README's table. The values are those of the code; test/unit/bounds.test.ts names for each bound the test that
 * fills it. A new queue adds its row here. Knows names of all folders, as the composition root does; nothing but docs and
 * tests import it.
 */
import { historyReadsMax, listReadsMax } from '../actors/reads.ts';
import { roomMailboxMax } from '../actors/room.ts';
import { foreignMarksWaitingMax } from '../actors/room-foreign.ts';
import { marksWaitingMax } from '../actors/room-marks.ts';
import { readsKeptMax } from '../actors/room-reads.ts';
import { nodeReorderBytesMax } from '../actors/room-share.ts';
import { typistsWaitingMax } from '../actors/room-typing.ts';
import { sessionMailboxMax } from '../actors/session.ts';
import { voiceRightsMax, voiceUsersMax } from '../actors/voice.ts';
import { voiceWatchedPerSessionMax } from '../actors/voice-state.ts';
import { usersWatchedMax } from '../actors/whereabouts.ts';
import { type Field, settings, variableOf } from '../config/schema.ts';
import { keysBeside } from '../gateway/admission.ts';
import { downloadsMax, downloadsPerUserMax, quotaUsersMax, uploadsMax, uploadsPerUserMax } from '../gateway/files.ts';
import { bodyBytesMax, headerBytesMax } from '../gateway/http-base.ts';
import { depthMax, valuesMax } from '../gateway/payload-guard.ts';
import { packetBytesMax } from '../gateway/server.ts';
import { asksInFlightMax } from './ask.ts';
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
import { deletionsWaitingMax } from './files/file-collector.ts';
import { lineBytesMax } from './log-line.ts';
import type { MetricName } from './metric-table.ts';
import { olderLineBytesMax } from './state/older-lines.ts';
import { keptWaitingMax } from './state/state-keep.ts';
import { lineBytesMax as stateLineBytesMax } from './state/state-lines.ts';
import { changesMax, goneMax } from './state/state-link-tcp.ts';
import { stateServerLimits } from './state/state-server.ts';
import { transitionLimits } from './state/transition-publisher.ts';
import { waitingCharsMax, waitingJobsMax } from './store/commit-queue.ts';
import { revocationsMax } from './store/revocations.ts';
import { batchBytesMax, batchEntriesMax } from './store/room-log.ts';
import { floodKeysMax } from './supervision.ts';
import { valueBytesMax } from './wire/event-record.ts';
import { charsWaitingMax, recordsWaitingMax } from './wire/outgoing-queue.ts';

export interface Bound {
  readonly bound: string;
  readonly whenFull: string;
  /** Where it is seen before it is full: a gauge, a counter of what was refused, or a log line. */
  readonly seenIn?: MetricName | `log: ${string}`;
}

const count = (value: number, unit: string): string => `${value.toLocaleString('en')} ${unit}`;
const kB = (bytes: number): string =>
  bytes % 1_024 === 0 ? `${(bytes / 1_024).toLocaleString('en')} KiB` : `${(bytes / 1_000).toLocaleString('en')} kB`;
const setting = (field: Field): string => `\`${variableOf(field)}\` (${Number(settings[field].default).toLocaleString('en')})`;

export const bounds = {
  'Commands waiting for a room': { bound: count(roomMailboxMax, 'messages'), whenFull: 'BUSY', seenIn: 'log: mailbox.high' },
  'Commands waiting for their append, in a room': {
    bound: setting('roomPendingMax'),
    whenFull: 'BUSY',
    seenIn: 'playhouse_room_fill_ratio',
  },
  'Commands waiting for their append, of one sender': {
    bound: setting('senderPendingMax'),
    whenFull: 'BUSY',
    seenIn: 'playhouse_commands_total',
  },
  'Commands of other nodes waiting in a room': {
    bound: `${setting('roomPendingMax')}, ${setting('senderPendingMax')} of one sender, beside the room's own`,
    whenFull: 'handed back; the node they came from appends them',
    seenIn: 'playhouse_room_events_total',
  },
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
  'Commands waiting for a session': { bound: count(sessionMailboxMax, 'messages'), whenFull: 'BUSY', seenIn: 'log: mailbox.high' },
  'One append of a room': {
    bound: `${count(batchEntriesMax, 'entries')}, ${kB(batchBytesMax)}`,
    whenFull: 'the rest is the next append',
    seenIn: 'playhouse_append_entries',
  },
  'Appends waiting for the disk': {
    bound: `${count(waitingJobsMax, 'appends')}, ${kB(waitingCharsMax)}`,
    whenFull: 'fails at once; rooms try again until the deadline: STORE_UNAVAILABLE',
    seenIn: 'playhouse_appends_total',
  },
  'Time of a command to be stored': {
    bound: setting('ackDeadlineMs'),
    whenFull: 'STORE_UNAVAILABLE; the cid makes a retry safe',
    seenIn: 'playhouse_room_events_total',
  },
  'Events that came too early, of a room': {
    bound: '1,024 entries, 1,000 kB',
    whenFull: 'dropped; the gap is read from the log',
    seenIn: 'playhouse_room_events_total',
  },
  'Events that came too early, on the node': {
    bound: kB(nodeReorderBytesMax),
    whenFull: 'an event is only a hint: what it held is read from the log',
    seenIn: 'playhouse_reorder_bytes',
  },
  'History pages being read': {
    bound: `${historyReadsMax} on the node, 1 for a connection`,
    whenFull: 'BUSY with retryAfterMs',
    seenIn: 'playhouse_reads',
  },
  'Lists of rooms being read': {
    bound: `${listReadsMax} on the node, 1 for a connection`,
    whenFull: 'BUSY with retryAfterMs',
    seenIn: 'playhouse_reads',
  },
  'Ranges and pages a room keeps for a storm': {
    bound: `${readsKeptMax}, each of 256 KiB`,
    whenFull: 'the oldest goes; the next to ask reads',
  },
  'Read marks waiting in a room': { bound: count(marksWaitingMax, 'marks'), whenFull: 'BUSY', seenIn: 'playhouse_commands_total' },
  'Typing signals waiting for a room to wake': {
    bound: count(typistsWaitingMax, 'signals'),
    whenFull: 'BUSY',
    seenIn: 'playhouse_commands_total',
  },
  'Read marks of other nodes waiting for a room to wake': {
    bound: count(foreignMarksWaitingMax, 'marks'),
    whenFull: 'dropped; the next list of rooms says it',
  },
  'Waiting for one connection': {
    bound: `${setting('outboxBytesMax')}, ${setting('outboxFramesMax')}`,
    whenFull: 'delivery pauses at its cursor and catches up; typing and presence go first, from a quarter on',
    seenIn: 'playhouse_outbox_fill_ratio',
  },
  'Answers of a client that asks without reading': {
    bound: 'four times the one before, at least 2,000,000 bytes',
    whenFull: 'the connection is cut',
    seenIn: 'playhouse_outbox_events_total',
  },
  'Commands of one connection': {
    bound: `${setting('commandsPerSecondMax')} a second, ${setting('commandsBurstMax')} at once`,
    whenFull: 'RATE_LIMITED; ten bursts over it: closing FLOOD',
    seenIn: 'playhouse_commands_total',
  },
  'Commands of one user': {
    bound: `${setting('userCommandsPerSecondMax')} a second, ${setting('userCommandsBurstMax')} at once, over all connections and HTTP; over all nodes with Redis`,
    whenFull: 'RATE_LIMITED; over HTTP 429; far over it, `closing FLOOD` for connections that go on',
    seenIn: 'playhouse_commands_total',
  },
  'Commands from one address': {
    bound: `${setting('addressCommandsPerSecondMax')} a second, ${setting('addressCommandsBurstMax')} at once; over all nodes with Redis`,
    whenFull: 'RATE_LIMITED; far over it, `closing FLOOD` for connections that go on',
    seenIn: 'playhouse_commands_total',
  },
  'Handshakes from one address': {
    bound: `${setting('addressHandshakesPerSecondMax')} a second, ${setting('addressHandshakesBurstMax')} at once`,
    whenFull: '429 with Retry-After',
    seenIn: 'playhouse_connects_total',
  },
  'Bad tokens from one address': {
    bound: `${setting('addressBadTokensPerSecondMax')} a second, ${setting('addressBadTokensBurstMax')} at once`,
    whenFull: 'no token of it is looked at: 429, TOO_MANY_CONNECTIONS, RATE_LIMITED',
    seenIn: 'playhouse_connects_total',
  },
  'Users and addresses remembered for their rates': {
    bound: `${setting('connectionsMax')} and ${keysBeside.toLocaleString('en')} more, for each rate`,
    whenFull: 'who was not seen for the longest is forgotten and begins with a full burst',
  },
  'Users and addresses counted over all nodes': {
    bound: `${count(sharedKeysMax, 'users')}, as many addresses, for each limit`,
    whenFull: 'further ones are counted by each node alone',
  },
  'Rooms open on one connection': { bound: setting('roomsPerSocketMax'), whenFull: 'BUSY', seenIn: 'playhouse_readers' },
  'Rooms awake': { bound: setting('roomsActiveMax'), whenFull: 'BUSY; idle ones are asked to go', seenIn: 'playhouse_rooms_active' },
  Connections: { bound: setting('connectionsMax'), whenFull: 'TOO_MANY_CONNECTIONS', seenIn: 'playhouse_connections' },
  'Connections of one user': {
    bound: `${setting('userConnectionsMax')}; over all nodes with Redis`,
    whenFull: 'TOO_MANY_CONNECTIONS for the later one',
    seenIn: 'playhouse_connects_total',
  },
  'Connections from one address': {
    bound: `${setting('addressConnectionsMax')}; over all nodes with Redis`,
    whenFull: 'TOO_MANY_CONNECTIONS for the later one',
    seenIn: 'playhouse_connects_total',
  },
  'Handshakes in progress': {
    bound: setting('handshakesMax'),
    whenFull: '503 with Retry-After, before anything is parsed; for one address 429 from a third of it on',
    seenIn: 'playhouse_handshakes',
  },
  'One packet': { bound: kB(packetBytesMax), whenFull: 'the connection is closed' },
  'One text': { bound: setting('textBytesMax'), whenFull: 'PAYLOAD_TOO_LARGE', seenIn: 'playhouse_commands_total' },
  'One payload': { bound: `depth ${depthMax}, ${valuesMax} values`, whenFull: 'INVALID', seenIn: 'playhouse_commands_total' },
  'One HTTP request': {
    bound: `${kB(headerBytesMax)} of headers, ${kB(bodyBytesMax)} of body`,
    whenFull: '431, 413',
    seenIn: 'playhouse_http_requests_total',
  },
  'One file': {
    bound: `${setting('fileBytesMax')} bytes, within ${setting('uploadTimeoutMs')} ms`,
    whenFull: 'PAYLOAD_TOO_LARGE; too slow: cut; nothing of it is kept',
    seenIn: 'playhouse_file_bytes_total',
  },
  'Uploads at once': {
    bound: `${uploadsPerUserMax} of one user, ${uploadsMax} on the node`,
    whenFull: 'RATE_LIMITED for the user, BUSY on the node, before a byte is taken',
    seenIn: 'playhouse_transfers',
  },
  'Files of one user in a day': {
    bound: `${setting('uploadBytesPerDayMax')} bytes on each node; ${count(quotaUsersMax, 'users')} are counted`,
    whenFull: 'RATE_LIMITED before a byte is taken, with when there is room again; who uploaded longest ago is forgotten',
    seenIn: 'playhouse_transfers_refused_total',
  },
  'Downloads at once': {
    bound: `${downloadsPerUserMax} of one user, ${downloadsMax} on the node`,
    whenFull: 'RATE_LIMITED for the user, BUSY on the node; one that is not read for 30 s is cut',
    seenIn: 'playhouse_transfers',
  },
  'Deleted files whose bytes wait to go': {
    bound: count(deletionsWaitingMax, 'files'),
    whenFull: 'their bytes go with the next round of the collector; nobody gets them meanwhile',
    seenIn: 'playhouse_files_collected_total',
  },
  'Users watched': { bound: setting('presenceWatchesMax'), whenFull: 'presence:watch is refused', seenIn: 'playhouse_presence_watches' },
  'Changes the state server was not told of': {
    bound: `${count(changesMax, 'sessions')}, ${count(changesMax, 'watches')}; none while it is away`,
    whenFull: 'forgotten; all that lives is told again',
    seenIn: 'playhouse_link_waiting',
  },
  'Logouts an older state server was not told of': {
    bound: count(goneMax, 'users'),
    whenFull: 'the oldest stay logged in there until it forgets them, after a day',
    seenIn: 'playhouse_link_waiting',
  },
  'One line to or from the state server': { bound: kB(stateLineBytesMax), whenFull: 'the connection is closed', seenIn: 'log: link.down' },
  'Connections to the state server': {
    bound: count(stateServerLimits.connectionsMax, 'connections'),
    whenFull: 'one that has not said a word makes room; else TOO_MANY_CONNECTIONS, without a word for older clients',
    seenIn: 'playhouse_state_connections',
  },
  'Nodes at the state server, those lost less than 8 s ago included': {
    bound: count(stateServerLimits.livesMax, 'nodes'),
    whenFull: 'FULL: presence is unknown at the node that came later',
    seenIn: 'playhouse_state_nodes',
  },
  'Sessions at the state server': {
    bound: count(stateServerLimits.sessionsMax, 'sessions'),
    whenFull: 'FULL, and nothing of the line is done; an older client is answered, the session not kept',
    seenIn: 'playhouse_state_sessions',
  },
  'Users watched at the state server': {
    bound: `${count(stateServerLimits.watchedMax, 'users')} of a node, ${count(stateServerLimits.watchesMax, 'of all')}`,
    whenFull: 'FULL, and nothing of the line is done',
    seenIn: 'playhouse_state_watches',
  },
  'Unfinished lines at the state server': {
    bound: `${kB(stateLineBytesMax)} of a node, ${count(olderLineBytesMax, 'bytes')} of an older client, ${kB(stateServerLimits.heldBytesMax)} of all`,
    whenFull: 'the connection is closed; of all: that which holds the most',
  },
  'Lines that say nothing, at the state server': {
    bound: '20 a minute of one connection',
    whenFull: 'the connection is closed',
  },
  'What a peer of the state server does not read': {
    bound: 'the answers to one chunk of 64 KiB; changes of a user collapse into the last',
    whenFull: 'it is not read from; cut after 6 s, an older client after 30 s',
    seenIn: 'log: link.down',
  },
  'Users in voice channels without a login, of older clients': {
    bound: count(stateServerLimits.guestsMax, 'users'),
    whenFull: 'answered, and not listed',
  },
  'Voice channels at the state server': {
    bound: `${count(stateServerLimits.communitiesMax, 'communities')}, of each ${count(stateServerLimits.channelsPerCommunityMax, 'channels')}, ${count(stateServerLimits.usersPerCommunityMax, 'users')}`,
    whenFull: 'an empty one makes room, else the user is not listed',
    seenIn: 'playhouse_state_communities',
  },
  'Who came and who went, not yet told to other services': {
    bound: `${count(transitionLimits.waitingMax, 'transitions')}, ${transitionLimits.keptMs / 1_000} s`,
    whenFull: 'the oldest is never told; a line says how many',
  },
  'Communities whose voice channels are watched at the state server': {
    bound: `${count(stateServerLimits.voiceWatchedMax, 'communities')} of a node, ten times as many of all`,
    whenFull: 'a node watches no more of them (voice: BUSY); FULL for one that does all the same',
    seenIn: 'log: link.down',
  },
  'Log lines of the state server about its peers': {
    bound: '100 in 10 s',
    whenFull: 'counted, and the next line says how many',
  },
  'Voice channels: questions being judged': {
    bound: count(voiceRightsMax, 'at once'),
    whenFull: 'BUSY with retryAfterMs',
    seenIn: 'playhouse_commands_total',
  },
  'Voice channels: people in a community': {
    bound: count(voiceUsersMax, 'users'),
    whenFull: 'voice:enter is BUSY',
    seenIn: 'playhouse_commands_total',
  },
  'Voice channels: communities one connection hears of': {
    bound: count(voiceWatchedPerSessionMax, 'communities'),
    whenFull: 'no more is told of the one asked for first',
    seenIn: 'playhouse_voice_communities',
  },
  'Users known': {
    bound: setting('presenceUsersMax'),
    whenFull: 'presence:watch of further users is refused; who connects is not',
    seenIn: 'playhouse_presence_users',
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
  'Sessions the state server has not kept yet': {
    bound: count(keptWaitingMax, 'changes'),
    whenFull: 'forgotten; all sessions are written anew',
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
  'Questions between actors': { bound: count(asksInFlightMax, 'in flight'), whenFull: 'the asker is told BUSY' },
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
  Revocations: { bound: count(revocationsMax, 'in force'), whenFull: 'refused, with the advice to revoke everybody' },
  'One log line': { bound: kB(lineBytesMax), whenFull: 'its first fields are kept, short, with cutFromBytes' },
  'Kinds of supervision lines counted at once': {
    bound: count(floodKeysMax, 'kinds a second'),
    whenFull: 'further kinds share one count for each event',
    seenIn: 'playhouse_supervision_events_total',
  },
} as const satisfies Readonly<Record<string, Bound>>;

export type BoundName = keyof typeof bounds;
