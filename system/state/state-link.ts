/**
 * StateLink: a node's link to the state server, which knows who is online anywhere. Twins: memory, tcp.
 *
 * An accelerator like the others: chat never waits for it. Every method returns at once and never throws. What is put in while
 * the link is down is not lost and not queued as events: the link keeps the live sessions and the watched users, and tells the
 * server all of them on every (re)connect. So an outage of any length costs memory by live sessions, not by what happened.
 */
import type { SessionId, UserId } from '../ids.ts';

/**
 * connecting: no connection, or none that said hello. auth: hello was said. snapshot: the server is being told what lives here.
 * live: both sides know the same. draining: `drain` or `close` was called; nothing is sent after the goodbye, nothing more is taken
 * (`watch` answers false), and the listener hears nothing more.
 */
export type LinkState = 'connecting' | 'auth' | 'snapshot' | 'live' | 'draining';

export interface LiveSession {
  readonly session: SessionId;
  readonly user: UserId;
  /** `home`, or the id of the room the session looks at: 1 to 128 printable characters, anything else is told as `home`. */
  readonly place: string;
}

export interface UserStateRow {
  readonly user: UserId;
  readonly state: 'online' | 'offline';
  /** Of all sessions of the user, on whatever node; sorted, without doubles. */
  readonly places: readonly string[];
}

export interface StateLinkListener {
  /** States of watched users: after `watch`, after each reconnect, and when they change. In order for one user; doubles are possible. */
  onStates(states: readonly UserStateRow[]): void;
  /**
   * `isLive` false: from now on the states of users elsewhere are unknown. true: the server knows our sessions again; the states
   * of all watched users follow. Called on each change, and once when the first attempt fails. In front of an older state server,
   * which tells nothing of users elsewhere, it stays false, while `state` says whether that server knows our sessions.
   */
  onLive(isLive: boolean, why: string): void;
}

/** Everybody in the voice channels of one community, on whatever node. */
export interface VoiceRow {
  readonly community: string;
  /** channel → users; channels where nobody is are left out. */
  readonly channels: ReadonlyMap<string, readonly UserId[]>;
  /** false: somebody may be missing, since nodes of before may not have come back to a state server that has just started. */
  readonly whole: boolean;
}

export interface VoiceListener {
  /** Of a watched community: after `watch`, after each reconnect, and when somebody comes or goes, at most each 150 ms. */
  onVoice(row: VoiceRow): void;
  /** From now on nothing is known of other nodes, until `onVoice` says it anew. */
  onUnknown(): void;
}

/** Voice channels over all nodes. A user in one is `put` as one more session whose place is `voicePlace`. */
export interface VoiceLink {
  /** The server tells of voice channels: what is watched will be known within a moment. false: a link that is down, or an older server. */
  readonly isLive: boolean;
  /** One listener; the last one set counts. */
  listen(listener: VoiceListener): void;
  /** Idempotent. At most `voiceWatchedMax` communities; more are refused: false. */
  watch(community: string): boolean;
  unwatch(community: string): void;
}

export interface StateLink {
  readonly voice: VoiceLink;
  readonly state: LinkState;
  /** One line for the start banner. */
  readonly description: string;
  /** One listener; the last one set counts. It hears changes from now on, and the states of all users watched already (see `state` for the rest). */
  listen(listener: StateLinkListener): void;
  /** The session exists and is at this place. Last call wins; idempotent. */
  put(session: LiveSession): void;
  /** The session has ended. Unknown ones change nothing. */
  remove(session: SessionId): void;
  /** From now on `onStates` tells of this user. Idempotent. At most `watchedMax` users; more are refused: false. */
  watch(user: UserId): boolean;
  unwatch(user: UserId): void;
  /** Live sessions, watched users, and how many of both (and of what ended) the server has not been told; while not live, all that lives. */
  counts(): { readonly sessions: number; readonly watched: number; readonly waiting: number };
  /** Tells the server that every session here has ended, waits at most so long for its answer, and stays closed. Never rejects. */
  drain(deadlineMs: number): Promise<void>;
  /** Cuts the connection without a goodbye. Idempotent. */
  close(): Promise<void>;
}

/** Where a session is that stands for a user in a voice channel. Neither name has a comma, and no room is called so. */
export const voicePlace = (community: string, channel: string): string => `com${community},c-${channel}`;
/** The names in a voice place; undefined: it is none. */
export function voicePlaceOf(place: string): { readonly community: string; readonly channel: string } | undefined {
  const comma = place.indexOf(',');
  if (!place.startsWith('com') || !place.startsWith(',c-', comma)) return undefined;
  return { community: place.slice('com'.length, comma), channel: place.slice(comma + ',c-'.length) };
}
export const isVoicePlace = (place: string): boolean => place.includes(',');

/** Most communities whose voice channels one node watches. */
export const voiceWatchedMax = 10_000;
/** Most users one node watches. */
export const watchedMax = 100_000;
