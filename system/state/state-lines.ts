/**
 * State lines: what a node and the state server say to each other after `hello`. One JSON object a line, ended by CRLF,
 * UTF-8, at most `lineBytesMax`. Types only; `state-line-decoder.ts` checks what comes in.
 *
 * The server answers every request that carries an id with one line that carries the same id, in the order of the requests.
 * Only `changes` comes without being asked for. A client of before, which says no hello, has its own lines (`older-lines.ts`).
 * A node that has said nothing for 6 s is cut, and so is one that reads nothing for 6 s: ping every 2 s.
 */

/** Longer lines close the link. A client of before may send up to 1 MB. */
export const lineBytesMax = 64 * 1024;

/** Longest name of a place. */
export const placeCharsMax = 160;

/** Most places of a user that are told; the first in order. */
export const placesMax = 100;

/** [session, user, place]. A place is `home`, a room's id, or what an older server calls a voice channel. At most 160 characters. */
export type SessionRow = readonly [session: string, user: string, place: string];
/** [user, state, places of that user's sessions, sorted, without doubles; empty when offline]. */
export type StateRow = readonly [user: string, state: 'online' | 'offline', places: readonly string[]];

/** [channel, users]. A channel may come again with more of them. */
export type VoiceRow = readonly [channel: string, users: readonly string[]];

export type NodeLine =
  /** The first line of a connection. `voice`: asks for what is said of voice channels; a server that knows of them says so in its hello. `inc`: one life of the node; a line of an older life never touches a newer one. */
  | { readonly type: 'hello'; readonly v: 1; readonly node: string; readonly inc: string; readonly voice?: true }
  /** Answers a nonce: HMAC-SHA256 of `${nonce}\n${node}\n${inc}` with the shared secret, base64url. */
  | { readonly type: 'auth'; readonly mac: string }
  /** Instead of a hello: is the server at work? Answered by `healthy`, with a secret too, and the connection ends. */
  | { readonly type: 'health' }
  | NodeRequest;

/** What a node says once it was let in. */
export type NodeRequest =
  /**
   * All sessions of this node, in as many lines as needed. Between `first` and `last` nothing changes for others; with `last` the
   * node's sessions are exactly these, and what is watched exactly what is named. Each line is answered by `ok`; after that of the
   * last one the states of all watched users follow in `changes`. What is sent in between counts for the snapshot.
   */
  | {
      readonly type: 'snapshot';
      readonly id: number;
      readonly first: boolean;
      readonly last: boolean;
      readonly sessions: readonly SessionRow[];
      readonly watch: readonly string[];
    }
  /** Sessions that are new or moved, and those that ended. A session that ended before it was known changes nothing. */
  | { readonly type: 'sessions'; readonly id: number; readonly put: readonly SessionRow[]; readonly gone: readonly string[] }
  /**
   * Users whose changes are to be pushed from now on, and those that are not any more. Answered by `states` of the former; what has
   * no room in that line follows in `changes`. At most `watchedMax` users (state-link.ts); more: refused with FULL.
   */
  | { readonly type: 'watch'; readonly id: number; readonly on: readonly string[]; readonly off: readonly string[] }
  /**
   * Communities whose voice channels are to be told from now on, and those that are not any more. Answered by `ok`; the channels of the
   * former follow in `voices`. A session in a voice channel is one more session of its user, whose place is `com<community>,c-<channel>`.
   */
  | { readonly type: 'voice'; readonly id: number; readonly on: readonly string[]; readonly off: readonly string[] }
  | { readonly type: 'ping'; readonly id: number }
  /** The node stops in order: its sessions end now, without the grace of a lost connection. */
  | { readonly type: 'bye'; readonly id: number };

export type ServerLine =
  /** `server`: one life of the state server. With a nonce the next line must be `auth`, within 2 s. */
  | { readonly type: 'hello'; readonly v: 1; readonly server: string; readonly nonce?: string; readonly voice?: true }
  | { readonly type: 'authenticated' }
  /** Says no more than that: whoever reaches the port may ask. */
  | { readonly type: 'healthy' }
  /** The last line before the server closes. */
  | {
      readonly type: 'refused';
      /** SUPERSEDED: a newer connection or life of the node is here. FULL: more sessions or watched users than the server takes. */
      readonly code: 'AUTH_REQUIRED' | 'INVALID' | 'TOO_LONG' | 'TOO_MANY_CONNECTIONS' | 'SUPERSEDED' | 'FULL';
      readonly message: string;
    }
  | { readonly type: 'ok'; readonly id: number }
  | { readonly type: 'pong'; readonly id: number }
  | { readonly type: 'states'; readonly id: number; readonly states: readonly StateRow[] }
  /** Of watched users, whoever caused it. At most once each 50 ms for one user; the last state wins. */
  | { readonly type: 'changes'; readonly states: readonly StateRow[] }
  /**
   * Everybody in the voice channels of one community, on whatever node, in one line or several that follow each other, from `first` to
   * `last`. At most once each 150 ms. `whole` false: nodes of before may not have come back yet, so somebody may be missing.
   */
  | {
      readonly type: 'voices';
      readonly community: string;
      readonly first: boolean;
      readonly last: boolean;
      readonly whole: boolean;
      readonly channels: readonly VoiceRow[];
    };
