/**
 * Older lines: what chat servers and services of before say to a state server, and what they are answered. Pure.
 *
 * One lenient object a line (`lenient-value.ts`), one reply a line, in order. A field whose value is the word `null`, quoted or
 * not, is absent. Where the older state server stayed silent ours answers in the shape of the request's type, with the reason
 * for the log: a client that waits is not to be stuck.
 */
import { type LenientValue, readLenient } from './lenient-value.ts';

/** Longer lines close the connection. 100,000 ids of eight digits fit, as the older chat server prints them. */
export const olderLineBytesMax = 1024 * 1024;

export type OlderRequest =
  | { readonly type: 'login'; readonly session: string; readonly user: string }
  | { readonly type: 'logout'; readonly session: string }
  /** The user looks at another place; which of their sessions does is not said. */
  | { readonly type: 'state'; readonly user: string; readonly place: string }
  | { readonly type: 'before-enter'; readonly community: string }
  | { readonly type: 'enter'; readonly user: string; readonly community: string; readonly place: string }
  /** Which of these users do not look at the place? */
  | { readonly type: 'direct' | 'community'; readonly place: string | undefined; readonly ids: readonly string[] }
  /** The user left a call: a voice channel, or that of a direct room, which has no community. */
  | { readonly type: 'signaling'; readonly user: string; readonly place: string | undefined }
  /** Answered, and changes nothing. */
  | { readonly type: 'unknown' };

export type OlderDecoded =
  | { readonly ok: true; readonly request: OlderRequest }
  /** `isGarbage`: no request at all; else one that lacks what it needs. `reply`: what it is answered all the same. */
  | { readonly ok: false; readonly isGarbage: boolean; readonly reason: string; readonly reply: string };

// ---- replies ----

/** The word the older server says when it has nothing to say. */
export const doneReply = '반환메세지';

/** `1,r-7`; a part that is not there is the word null. A place may have a comma of its own: `com3,c-31`. */
export const pairReply = (first: string | undefined, second: string | undefined): string => `${first ?? 'null'},${second ?? 'null'}`;

/** `[3, 4]`: what prints a list of numbers there puts a blank behind the comma. */
export const idsReply = (ids: readonly string[]): string => `[${ids.join(', ')}]`;

/** `{"31":["1"],"32":[]}`, without blanks. */
export function occupancyReply(channels: ReadonlyMap<string, Iterable<string>>): string {
  const fields = [...channels].map(([channel, users]) => `${JSON.stringify(channel)}:${JSON.stringify([...users])}`);
  return `{${fields.join(',')}}`;
}

/** The place of a user who is in a voice channel. */
const voicePlace = (community: string, channel: string): string => `com${community},${channel}`;

// ---- requests ----

const garbage = (reason: string): OlderDecoded => ({ ok: false, isGarbage: true, reason, reply: doneReply });
const lacking = (reason: string, reply: string): OlderDecoded => ({ ok: false, isGarbage: false, reason, reply });
const decoded = (request: OlderRequest): OlderDecoded => ({ ok: true, request });

export function decodeOlderLine(text: string): OlderDecoded {
  const read = readLenient(text);
  if (!read.ok) return garbage(read.reason);
  if (!(read.value instanceof Map)) return garbage('not an object');
  const fields: ReadonlyMap<string, LenientValue> = read.value;
  const session = textOf(fields, 'session_id');
  const user = textOf(fields, 'user_id');
  const community = textOf(fields, 'community_id');
  const channel = textOf(fields, 'channel_id');
  const type = textOf(fields, 'type');
  switch (type) {
    case undefined:
      return garbage('no type');
    case 'login':
      if (session === undefined || user === undefined) return lacking('login needs session_id and user_id', doneReply);
      return decoded({ type, session, user });
    case 'logout':
      if (session === undefined) return lacking('logout needs session_id', pairReply(undefined, undefined));
      return decoded({ type, session });
    case 'state':
      if (channel === undefined) return lacking('state needs channel_id', pairReply(undefined, undefined));
      if (user === undefined) return lacking('state needs user_id', pairReply(undefined, channel));
      return decoded({ type, user, place: channel });
    case 'before-enter':
      if (community === undefined) return lacking('before-enter needs community_id', occupancyReply(new Map()));
      return decoded({ type, community });
    case 'enter':
      if (user === undefined || community === undefined || channel === undefined || channelNumber(channel) === undefined) {
        return lacking('enter needs user_id, community_id and a channel_id with its number behind a dash', occupancyReply(new Map()));
      }
      // It would read as the end of the community's name in the place made of both.
      if (community.includes(',')) return lacking('a community_id has no comma', occupancyReply(new Map()));
      return decoded({ type, user, community, place: voicePlace(community, channel) });
    case 'direct':
    case 'community': {
      const ids = idsOf(fields.get('ids'));
      if (ids === undefined) return lacking(`${type} needs ids, all of them whole numbers`, idsReply([]));
      return decoded({ type, place: channel, ids });
    }
    case 'signaling':
      if (user === undefined) return lacking('signaling needs user_id', doneReply);
      return decoded({ type, user, place: community && channel && voicePlace(community, channel) });
    default:
      return decoded({ type: 'unknown' });
  }
}

/** The 31 of `c-31`; undefined without a dash. */
export function channelNumber(channel: string): string | undefined {
  const dash = channel.indexOf('-');
  return dash === -1 || dash === channel.length - 1 ? undefined : channel.slice(dash + 1);
}

/** What may become part of a reply: a line break in it would shift all later replies. */
const printable = /^[^\p{Cc}\p{Cs}]{1,128}$/u;

function textOf(fields: ReadonlyMap<string, LenientValue>, name: string): string | undefined {
  const value = fields.get(name);
  return typeof value === 'string' && value !== 'null' && printable.test(value) ? value : undefined;
}

const plainNumber = /^(?:0|-?[1-9]\d*)$/;

function idsOf(value: LenientValue | undefined): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ids: string[] = [];
  for (const id of value as readonly LenientValue[]) {
    if (typeof id !== 'string' || !/^-?\d{1,19}$/.test(id)) return undefined;
    // As a number prints: no zeros in front. Most have none, and a hundred thousand of them are to take no time.
    ids.push(plainNumber.test(id) ? id : BigInt(id).toString());
  }
  return ids;
}
