/**
 * Bounds of rooms: what waits on the way into a log and out of it, on one node; and what its actors and lines may need.
 */
import { historyReadsMax, listReadsMax } from '../actors/reads.ts';
import { roomMailboxMax } from '../actors/room.ts';
import { foreignMarksWaitingMax } from '../actors/room-foreign.ts';
import { marksWaitingMax } from '../actors/room-marks.ts';
import { readsKeptMax } from '../actors/room-reads.ts';
import { nodeReorderBytesMax } from '../actors/room-share.ts';
import { typistsWaitingMax } from '../actors/room-typing.ts';
import { asksInFlightMax } from './ask.ts';
import { type Bound, count, kB, setting } from './bounds-row.ts';
import { deletionsWaitingMax } from './files/file-collector.ts';
import { lineBytesMax } from './log-line.ts';
import { waitingCharsMax, waitingJobsMax } from './store/commit-queue.ts';
import { revocationsMax } from './store/revocations.ts';
import { batchBytesMax, batchEntriesMax } from './store/room-log.ts';
import { scrubRoomsWaitingMax } from './store/scrubs-mongo.ts';
import { tailReadsWaitingMax } from './store/tail-reads-mongo.ts';
import { floodKeysMax } from './supervision.ts';

export const roomBounds = {
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
  'Rooms awake': { bound: setting('roomsActiveMax'), whenFull: 'BUSY; idle ones are asked to go', seenIn: 'playhouse_rooms_active' },
  'Deleted files whose bytes wait to go': {
    bound: count(deletionsWaitingMax, 'files'),
    whenFull: 'their bytes go with the next round of the collector; nobody gets them meanwhile',
    seenIn: 'playhouse_files_collected_total',
  },
  'Reads of what rooms have gained, waiting for MongoDB': {
    bound: count(tailReadsWaitingMax, 'reads'),
    whenFull: 'refused; the room reads again a moment later',
  },
  'Rooms whose deleted texts are still to be taken out of MongoDB': {
    bound: count(scrubRoomsWaitingMax, 'rooms'),
    whenFull: 'left to the sweep of any node, within 10 s; no read shows them meanwhile',
    seenIn: 'playhouse_scrubs_waiting',
  },
  'Questions between actors': { bound: count(asksInFlightMax, 'in flight'), whenFull: 'the asker is told BUSY' },
  Revocations: { bound: count(revocationsMax, 'in force'), whenFull: 'refused, with the advice to revoke everybody' },
  'One log line': { bound: kB(lineBytesMax), whenFull: 'its first fields are kept, short, with cutFromBytes' },
  'Kinds of supervision lines counted at once': {
    bound: count(floodKeysMax, 'kinds a second'),
    whenFull: 'further kinds share one count for each event',
    seenIn: 'playhouse_supervision_events_total',
  },
} as const satisfies Readonly<Record<string, Bound>>;
