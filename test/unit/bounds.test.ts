/**
 * Bounds: each row of the table names a test that fills it and sees the stated answer; the guide's example lines are lines.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BoundName, bounds } from '../../system/bounds.ts';
import type { Bound } from '../../system/bounds-row.ts';
import { metricTable } from '../../system/metric-table.ts';
import { supervisionEvents, supervisionLineSchema } from '../../system/supervision.ts';
import { supervisionGuide } from '../../system/supervision-guide.ts';

const root = new URL('../', import.meta.url);

/** File under test/ and the name of the test in it. A bound without one does not compile; a name that is not there fails. */
const proofs: Readonly<Record<BoundName, readonly [file: string, test: string]>> = {
  'Commands waiting for a room': ['integration/bounds.test.ts', 'a room whose mailbox is full answers BUSY'],
  'Commands waiting for their append, in a room': ['unit/room-state.test.ts', 'answers BUSY beyond its bounds, for one sender and for all'],
  'Commands waiting for their append, of one sender': [
    'unit/room-state.test.ts',
    'answers BUSY beyond its bounds, for one sender and for all',
  ],
  'Commands of other nodes waiting in a room': [
    'unit/room-forwarded.test.ts',
    'beyond the bound of a sender, or of the room, are handed back',
  ],
  'Forwards waiting for the answer of one other node': [
    'contract/node-link.contract.ts',
    'has a bound for questions that wait, and for the length of one',
  ],
  'One forward to another node, and its answer': [
    'contract/node-link.contract.ts',
    'has a bound for questions that wait, and for the length of one',
  ],
  'Connections from other nodes': [
    'contract/node-link-tcp.test.ts',
    'closes connections beyond its bound, and takes others when they are gone',
  ],
  'Commands waiting for a session': ['integration/bounds.test.ts', 'a session takes so many commands and refuses the next'],
  'One append of a room': ['integration/bounds.test.ts', 'one append holds 512 entries; the rest is the next one'],
  'Appends waiting for the disk': ['unit/commit-queue.test.ts', 'refuses more than 32 MB of waiting jobs at once'],
  'Time of a command to be stored': ['unit/room-state.test.ts', 'answers STORE_UNAVAILABLE at the deadline, once'],
  'Events that came too early, of a room': [
    'integration/bounds.test.ts',
    'early events are dropped at the bound of a room, and the gap is read',
  ],
  'Events that came too early, on the node': [
    'integration/bounds.test.ts',
    'above the bound of the node an event is a hint, and nobody misses it',
  ],
  'History pages being read': ['integration/bounds.test.ts', 'the thirty-third page is answered BUSY, and taken again when one is done'],
  'Lists of rooms being read': ['integration/bounds.test.ts', 'lists have a bound of their own'],
  'Ranges and pages a room keeps for a storm': ['unit/room-storm.test.ts', 'keep at most four results, the latest, and none past its time'],
  'Read marks waiting in a room': ['unit/read-marks.test.ts', 'beyond a thousand waiting in one room is answered BUSY'],
  'Typing signals waiting for a room to wake': [
    'integration/bounds.test.ts',
    'signals for a room that is not awake wait up to their bound',
  ],
  'Read marks of other nodes waiting for a room to wake': [
    'integration/bounds.test.ts',
    'marks of other nodes wait for a room up to their bound',
  ],
  'Waiting for one connection': [
    'unit/outbox.test.ts',
    'refuses over the bound of bytes and of frames, and takes nothing of what it refused',
  ],
  'Answers of a client that asks without reading': [
    'unit/outbox.test.ts',
    'cuts a client that asks without reading at four times the bound',
  ],
  'Calls to Redis': [
    'integration/redis-connection.test.ts',
    'refuses the call over the bound at once, and takes another when one has ended',
  ],
  'Values cached in Redis': [
    'contract/shared-cache-redis.test.ts',
    'reads so many values at once and writes so many bytes; beyond, it knows nothing and keeps nothing',
  ],
  'Sessions the state server has not kept yet': [
    'contract/state-keep-redis.test.ts',
    'never holds its caller up and holds a bounded number of changes while Redis is frozen',
  ],
  'Nodes known by Redis': ['contract/cluster-view-redis.test.ts', 'sees so many nodes and says once that there are more'],
  'Commands taken and not answered, on the node': [
    'integration/command-load.test.ts',
    'a full node answers BUSY, takes the next when one was answered, and closes nobody',
  ],
  'Commands of one connection': ['integration/gateway-delivery.test.ts', 'limits the rate per connection, and ends a flood'],
  'Commands of one user': ['integration/admission.test.ts', 'of all connections of a user share one rate'],
  'Commands from one address': ['unit/admission.test.ts', 'gives all connections of a user one rate and all of an address another'],
  'Handshakes from one address': ['integration/admission.test.ts', 'of an address that comes too often is 429 with Retry-After'],
  'Bad tokens from one address': ['integration/admission.test.ts', 'of one address, a hundred in a row: after twenty it gets 429'],
  'Users and addresses remembered for their rates': [
    'unit/admission.test.ts',
    'remembers so many keys, and forgets the one that was not seen for the longest',
  ],
  'Connections of one user': ['unit/admission.test.ts', 'bounds connections of a user and of an address, refuses the later one'],
  'Connections from one address': ['unit/admission.test.ts', 'bounds connections of a user and of an address, refuses the later one'],
  'Users and addresses counted over all nodes': [
    'unit/cluster-rate-state.test.ts',
    'holds so many keys, lets others pass uncounted, and forgets those that are full again',
  ],
  'Rooms open on one connection': [
    'unit/room-ends.test.ts',
    'opens no more rooms on a connection than configured; failed opens do not count',
  ],
  'Rooms awake': ['unit/room-ends.test.ts', 'says BUSY when too many rooms are active, and makes space'],
  Connections: ['unit/room-ends.test.ts', 'admits no more connections than configured, and none while it drains'],
  'Handshakes in progress': [
    'integration/gateway-handshake.test.ts',
    'refuses handshakes over the bound, and takes them when others got through or gave up',
  ],
  'One packet': ['integration/gateway-input.test.ts', 'closes the one connection whose frame is larger than 64 kB'],
  'One text': ['integration/gateway-input.test.ts', 'says PAYLOAD_TOO_LARGE with the limit to an honest mistake of 17 kB'],
  'One payload': ['unit/client-protocol.test.ts', 'bounds the number of values, wherever they are'],
  'One HTTP request': ['integration/bounds.test.ts', 'too many headers are 431, too large a body is 413'],
  'One file': ['integration/file-attacks.test.ts', 'that never ends is cut at the limit, however it is sent'],
  'Uploads at once': ['integration/file-attacks.test.ts', 'of one user are four; the fifth is RATE_LIMITED until one is done'],
  'Files of one user in a day': [
    'integration/files-quota.test.ts',
    'a user may leave so many bytes in a day, and hears when there is room again',
  ],
  'Downloads at once': ['unit/transfer-gate.test.ts', 'lets in so many of one user and so many on the node, and says which is full'],
  'Deleted files whose bytes wait to go': ['unit/file-collector.test.ts', 'lets so many deletions wait, and leaves more to the next round'],
  'Reads of what rooms have gained, waiting for MongoDB': ['unit/tail-reads-mongo.test.ts', 'are refused beyond so many that wait'],
  'Rooms whose deleted texts are still to be taken out of MongoDB': [
    'unit/scrubs-mongo.test.ts',
    'holds so many rooms; further ones are left to the sweep, counted',
  ],
  'Users watched': ['unit/presence.test.ts', 'beyond the bounds of the node is refused and the one before stays'],
  'Voice channels: questions being judged': ['unit/voice.test.ts', 'answers BUSY when too many ask at once, and takes them again'],
  'Voice channels: people in a community': ['unit/voice.test.ts', 'takes no more people into a community than its bound'],
  'Voice channels: communities one connection hears of': ['unit/voice.test.ts', 'hears of the last eight communities'],
  'Users known': ['unit/presence.test.ts', 'beyond the bounds of the node is refused and the one before stays'],
  'Changes the state server was not told of': [
    'unit/link-state.test.ts',
    'tells everything again, and stays live, when more changed than may wait',
  ],
  'Logouts an older state server was not told of': ['unit/link-older.test.ts', 'keeps so many of those who are to be logged out'],
  'One line to or from the state server': ['integration/state-link-faults.test.ts', 'sends a line of 10 MB'],
  'Connections to the state server': [
    'integration/state-server-bounds.test.ts',
    'where everybody is busy, a node that comes is told so, an older client is closed without a word',
  ],
  'Nodes at the state server, those lost less than 8 s ago included': [
    'unit/state-server-state.test.ts',
    'of lives counts those in their grace',
  ],
  'Sessions at the state server': ['unit/state-server-state.test.ts', 'of sessions refuses the line and does nothing of it'],
  'Users watched at the state server': ['unit/state-server-state.test.ts', 'of watches counts for one node and for all'],
  'Unfinished lines at the state server': [
    'integration/state-server-bounds.test.ts',
    'unfinished lines of all connections: whoever holds the most is cut, the others finish theirs',
  ],
  'Lines that say nothing, at the state server': [
    'integration/state-server-bounds.test.ts',
    'lines that say nothing are ignored, until the twentieth within a minute',
  ],
  'What a peer of the state server does not read': [
    'integration/state-server-bounds.test.ts',
    'a node that does not read is cut 6 s after it stopped; the others hear everything meanwhile',
  ],
  'Users in voice channels without a login, of older clients': [
    'integration/state-server-older.test.ts',
    'more users in calls without a login than there is room for are answered and not listed',
  ],
  'Voice channels at the state server': [
    'integration/state-server-older.test.ts',
    'more communities, channels or users in them than there is room for take an empty place, or are not listed',
  ],
  'Who came and who went, also in voice channels by a lost node, not yet told to other services': [
    'unit/transition-publisher.test.ts',
    'is the oldest that goes when it is full, never what is under way',
  ],
  'Communities whose voice channels are watched at the state server': [
    'unit/state-voice-watch.test.ts',
    'are watched by a node up to its bound; more is refused',
  ],
  'Log lines of the state server about its peers': [
    'integration/state-server-bounds.test.ts',
    'a flood of refused connections is a bounded number of log lines',
  ],
  'Records waiting for Kafka': ['unit/outgoing-queue.test.ts', 'holds ten thousand records and so much text, and the oldest go'],
  'One record of Kafka': ['unit/event-record.test.ts', 'of more than 256 KiB is its number only'],
  'Questions between actors': [
    'unit/actor-ask.test.ts',
    'rejects BUSY when the mailbox is full, and when too many questions are in flight',
  ],
  Revocations: ['unit/revocations.test.ts', 'refuses when it is full of those that live, says so, and takes again when one has ended'],
  'Questions to the community service': [
    'integration/directory-faults.test.ts',
    'is asked sixty-four questions at once; the next is unavailable at once',
  ],
  'One answer of the community service': [
    'integration/directory-faults.test.ts',
    'is unavailable within two time-outs when it %s, after one more try',
  ],
  'Member lists kept': ['integration/directory-faults.test.ts', 'gives way when too many ids are kept here: the cache gives it again'],
  'Values kept in place of Redis': [
    'contract/shared-cache-memory.test.ts',
    'holds so many values, and so many bytes; the one put first goes',
  ],
  'Messages waiting for the notification service': [
    'integration/notify.test.ts',
    'holds ten thousand messages while the service hangs; the oldest go, counted, and a drain ends in time',
  ],
  'Ids in one notification': ['integration/notify.test.ts', 'is told of so many ids, and that there are more'],
  'Users watched for notifications': [
    'unit/whereabouts.test.ts',
    'watches so many users; a further one counts as absent until one was unused for a minute',
  ],
  'One log line': ['unit/logger.test.ts', 'that is too long keeps its first fields, short, and says so'],
  'Kinds of supervision lines counted at once': ['unit/supervision.test.ts', 'a flood of different kinds is a flood too'],
};

describe('the table of bounds', () => {
  it.each(Object.entries(proofs))('%s: is filled by a test', (_name, [file, test]) => {
    expect(readFileSync(new URL(file, root), 'utf8')).toContain(`'${test}`);
  });

  it.each(Object.entries(bounds) as [string, Bound][])(
    '%s: is seen in a metric that is there, or in a line',
    (_name, { seenIn, bound, whenFull }) => {
      expect(bound).toMatch(/\d|four times|the same rate/);
      expect(whenFull).not.toBe('');
      if (seenIn?.startsWith('log: ')) expect(supervisionEvents).toContain(seenIn.slice('log: '.length));
      else if (seenIn !== undefined) expect(Object.keys(metricTable)).toContain(seenIn);
    },
  );
});

describe('the guide to supervision lines', () => {
  it('has every event, with an example that is a line', () => {
    expect(Object.keys(supervisionGuide).sort()).toEqual([...supervisionEvents].sort());
    for (const [ev, { example, means, toDo }] of Object.entries(supervisionGuide)) {
      expect(supervisionLineSchema.safeParse(example).error?.issues ?? [], ev).toEqual([]);
      expect(example.ev).toBe(ev);
      expect(means.length * toDo.length, ev).toBeGreaterThan(0);
    }
  });
});
