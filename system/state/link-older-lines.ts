/**
 * Link older lines: what a node says to an older state server, exactly as the older chat server does, and what is an answer to it. Pure.
 *
 * Always six fields, `=` for `:`, single quotes, what is absent as the quoted word null, ids bare.
 */
import type { SessionId, UserId } from '../ids.ts';
import { doneReply } from './older-lines.ts';

export type OlderRequestType = 'login' | 'state' | 'logout';

export const loginLine = (session: SessionId, user: UserId): string => line('login', { session, user });
export const logoutLine = (session: SessionId): string => line('logout', { session });
export const stateLine = (user: UserId, place: string): string => line('state', { user, channel: olderPlace(place) });

/** Whether the text can be the answer. One of another shape belongs to another request. */
export function isOlderReply(type: OlderRequestType, text: string): boolean {
  return type === 'login' ? text === doneReply : /^[^,]+(,[^,]+){1,2}$/.test(text);
}

/** `home`, `r-…` for two people, `c-…` for the others; a place whose name could end its quotes is told as `home`. */
export function olderPlace(place: string): string {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(place)) return 'home';
  if (place === 'home' || /^[rc]-/.test(place)) return place;
  return place.startsWith('dm-') ? `r-${place}` : `c-${place}`;
}

interface Fields {
  readonly session?: string;
  readonly user?: string;
  readonly channel?: string;
}

function line(type: OlderRequestType, { session = 'null', user = 'null', channel = 'null' }: Fields): string {
  return `{type='${type}', session_id='${session}', user_id='${user}', channel_id='${channel}', community_id='null', ids=null}`;
}
