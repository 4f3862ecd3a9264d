/**
 * Supervision guide: for each event of the supervision line, what it means, what an operator does about it, and a line as it
 * is written. The source of the README's table; a test holds the examples against the schema.
 */
import type { SupervisionEvent, SupervisionLine } from './supervision.ts';

export interface GuideRow {
  readonly means: string;
  readonly toDo: string;
  readonly example: SupervisionLine;
}

const at = { time: 1_767_225_600_000, node: 'node-1', inc: 'node-1.hyXxIxpw', v: 1 } as const;
const debug = { level: 20, ...at };
const info = { level: 30, ...at };
const warn = { level: 40, ...at };
const error = { level: 50, ...at };
const room = { path: '/guardian/rooms/bucket-07/lobby', kind: 'room', room: 'lobby', windowMs: 10_000 } as const;
const cause = { name: 'LogCorrupt', msg: 'room lobby is damaged at seq 9: checksum', stack: '    at EmbeddedEntries.many (…)' };
const link = { path: '/guardian/presence/owner', kind: 'presence' } as const;

export const supervisionGuide: Readonly<Record<SupervisionEvent, GuideRow>> = {
  'actor.spawn': {
    means: 'An actor started. At debug only.',
    toDo: 'Nothing.',
    example: { ...debug, ev: 'actor.spawn', path: room.path, kind: room.kind },
  },
  'actor.crash': {
    means: 'An actor threw. Nothing acknowledged is lost.',
    toDo: 'LogCorrupt: the disk lies; restore the data folder, or give up the room it names. Anything else is a bug: report `cause`.',
    example: {
      ...error,
      ev: 'actor.crash',
      ...room,
      cause,
      msgType: 'room.corrupt',
      decision: 'restart',
      restarts: 0,
      mailbox: 3,
      delayMs: 50,
    },
  },
  'actor.restart': {
    means: 'It is back, rebuilt from the log; its readers go on where they were.',
    toDo: 'Look at the crash before it.',
    example: { ...warn, ev: 'actor.restart', ...room, restarts: 1, mailbox: 3 },
  },
  'actor.stop': {
    means: 'An actor ended: an idle room, a session whose client left. At debug only. `decision` crashed: its restarts are used up.',
    toDo: 'Nothing.',
    example: { ...debug, ev: 'actor.stop', ...room, decision: 'stopped' },
  },
  'actor.quarantine': {
    means:
      'A room failed four times in 10 s and rests for `delayMs`, growing to 60 s. Its clients hear ROOM_UNAVAILABLE; other rooms go on.',
    toDo: 'Look at the crash before it.',
    example: {
      ...error,
      ev: 'actor.quarantine',
      path: '/guardian/rooms/owner',
      kind: 'rooms',
      room: 'lobby',
      decision: 'quarantine',
      delayMs: 5_000,
    },
  },
  deadletter: {
    means: 'Messages came for an actor that had ended; `count` of them. A few are normal when connections or rooms end.',
    toDo: 'Nothing, unless they never stop: then report the line.',
    example: {
      ...info,
      ev: 'deadletter',
      path: '/guardian/gateway/bucket-12/x7',
      kind: 'session',
      decision: 'stopped',
      msgType: 'session.command',
      count: 1,
    },
  },
  'mailbox.high': {
    means: 'An actor, or the commands of all clients together (kind `commands`), has 80 % of what may wait. At 100 % clients hear BUSY.',
    toDo: 'Is the disk slow (playhouse_append_seconds), the loop busy (playhouse_loop_busy_ratio), or one room too loud? Then a faster disk, more nodes, or lower rates.',
    example: { ...warn, ev: 'mailbox.high', ...room, mailbox: 8_000 },
  },
  'link.up': {
    means: 'The link to the state server is live: presence is true again.',
    toDo: 'Nothing.',
    example: { ...info, ev: 'link.up', ...link, state: 'live' },
  },
  'link.down': {
    means: 'The link is gone; presence is shown as unknown, chat goes on.',
    toDo: 'Is the state server up and reachable (CHAT_STATE_SERVER)? The node tries again by itself.',
    example: { ...warn, ev: 'link.down', ...link, state: 'no line for 6 s' },
  },
  'link.resync': {
    means: 'The state server was told all sessions of this node anew.',
    toDo: 'Nothing; often: the link is unstable.',
    example: { ...info, ev: 'link.resync', ...link, count: 120 },
  },
  'append.conflict': {
    means: 'Another process had taken the next number of a room; the room read it and went on.',
    toDo: 'Normal in a cluster. On a lone node, after a crash only; else two processes share the store.',
    example: { ...info, ev: 'append.conflict', ...room, count: 1 },
  },
  'gap.repair': {
    means: 'Events of a room were missing and were read from the log.',
    toDo: 'Normal in a cluster. Very many: the wire between nodes loses events.',
    example: { ...info, ev: 'gap.repair', ...room, count: 3 },
  },
  'node.state': {
    means:
      'The node, or its process, changed its state: up, draining, down; stalled and caughtUp (kind loop); an error nobody caught (kind process).',
    toDo: 'stalled: the machine froze, swaps, or has too little CPU. kind process: a bug; the node drains and ends with 1: report `cause`.',
    example: { ...info, ev: 'node.state', path: '/', kind: 'node', state: 'draining' },
  },
  'slow.consumer': {
    means: 'A client did not read for too long and was closed; it resumes where it was.',
    toDo: 'Nothing for single ones. Many at once: the network of the clients, or this node’s, is too slow for the rooms they read.',
    example: { ...warn, ev: 'slow.consumer', path: '/guardian/gateway/bucket-12/x7', kind: 'session', decision: 'close' },
  },
};
