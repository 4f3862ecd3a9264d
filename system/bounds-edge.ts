/**
 * Bounds of the edge: what clients may send, hold open and leave waiting, over sockets and HTTP.
 */
import { sessionMailboxMax } from '../actors/session.ts';
import { keysBeside } from '../gateway/admission.ts';
import { commandCharsMax } from '../gateway/command-load.ts';
import { downloadsMax, downloadsPerUserMax, quotaUsersMax, uploadsMax, uploadsPerUserMax } from '../gateway/files.ts';
import { bodyBytesMax, headerBytesMax } from '../gateway/http-base.ts';
import { depthMax, valuesMax } from '../gateway/payload-guard.ts';
import { packetBytesMax } from '../gateway/server.ts';
import { type Bound, count, kB, setting } from './bounds-row.ts';

export const edgeBounds = {
  'Commands waiting for a session': { bound: count(sessionMailboxMax, 'messages'), whenFull: 'BUSY', seenIn: 'log: mailbox.high' },
  'Waiting for one connection': {
    bound: `${setting('outboxBytesMax')}, ${setting('outboxFramesMax')}; none in common: of all, that times ${setting('connectionsMax')}`,
    whenFull: 'delivery pauses at its cursor and catches up; typing and presence go first, from a quarter on',
    seenIn: 'playhouse_outbox_fill_ratio',
  },
  'Answers of a client that asks without reading': {
    bound: 'four times the one before, at least 2,000,000 bytes',
    whenFull: 'the connection is cut',
    seenIn: 'playhouse_outbox_events_total',
  },
  'Commands taken and not answered, on the node': {
    bound: `${setting('commandsWaitingMax')}, in a small heap one for each 128 KiB of its limit, ${count(commandCharsMax, 'characters')} of text and ids; of one connection a sixteenth of what is free`,
    whenFull: 'BUSY with retryAfterMs, before it is taken; nothing is closed',
    seenIn: 'playhouse_commands_waiting',
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
  'Rooms open on one connection': { bound: setting('roomsPerSocketMax'), whenFull: 'BUSY', seenIn: 'playhouse_readers' },
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
} as const satisfies Readonly<Record<string, Bound>>;
