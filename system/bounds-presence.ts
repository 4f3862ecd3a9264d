/**
 * Bounds of presence and voice: of a node, of its link, and of the state server.
 */
import { voiceRightsMax, voiceUsersMax } from '../actors/voice.ts';
import { voiceWatchedPerSessionMax } from '../actors/voice-state.ts';
import { type Bound, count, kB, setting } from './bounds-row.ts';
import { olderLineBytesMax } from './state/older-lines.ts';
import { keptWaitingMax } from './state/state-keep.ts';
import { lineBytesMax as stateLineBytesMax } from './state/state-lines.ts';
import { changesMax, goneMax } from './state/state-link-tcp.ts';
import { stateServerLimits } from './state/state-server.ts';
import { transitionLimits } from './state/transition-publisher.ts';

export const presenceBounds = {
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
  'Who came and who went, also in voice channels by a lost node, not yet told to other services': {
    bound: `${count(transitionLimits.waitingMax, 'of them')}, ${transitionLimits.keptMs / 1_000} s`,
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
  'Sessions the state server has not kept yet': {
    bound: count(keptWaitingMax, 'changes'),
    whenFull: 'forgotten; all sessions are written anew',
  },
} as const satisfies Readonly<Record<string, Bound>>;
