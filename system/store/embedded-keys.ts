/**
 * EmbeddedKeys: every key of the embedded store, made in this one place.
 *
 * Ids are [A-Za-z0-9_-] and `!` sorts before all of these, so `a!` never is a prefix of a key of room `a-` or `ab`.
 * Cids may hold more, so they stand last. Numbers are fixed-width base 36: their order as text is their order.
 *
 *   e!room!seq         the entry, sealed          h!room        its head, sealed
 *   i!room!by!cid      seq, in the same form      c!room!seq    a control entry again, sealed, and the seq of the one before it
 *   t!room!target!seq  an entry with a target     u!user!room   a row of UserRooms, sealed
 *   v!slot             a revocation, sealed
 */
import type { Cid, RoomId, UserId } from '../ids.ts';

const numberChars = 8;
/** 36^8 - 1: 2.8e12 entries of one room. */
export const seqMax = 36 ** numberChars - 1;

export const encodeSeq = (seq: number): string => seq.toString(36).padStart(numberChars, '0');
export const decodeSeq = (text: string): number => Number.parseInt(text, 36);
/** The number that ends an `e!`, `c!`, `t!` or `v!` key. */
export const seqOfKey = (key: string): number => decodeSeq(key.slice(-numberChars));

export const entryKey = (room: RoomId, seq: number): string => `e!${room}!${encodeSeq(seq)}`;
export const headKey = (room: RoomId): string => `h!${room}`;
export const cidIndexKey = (room: RoomId, by: UserId, cid: Cid): string => `i!${room}!${by}!${cid}`;
export const controlKey = (room: RoomId, seq: number): string => `c!${room}!${encodeSeq(seq)}`;
export const targetKey = (room: RoomId, target: number, seq: number): string => `t!${room}!${encodeSeq(target)}!${encodeSeq(seq)}`;
export const userRoomKey = (user: UserId, room: RoomId): string => `u!${user}!${room}`;
export const revocationKey = (slot: number): string => `v!${encodeSeq(slot)}`;

/** All keys that begin with `prefix`, which ends in `!`. */
export const keysUnder = (prefix: string): { readonly gte: string; readonly lt: string } => ({
  gte: prefix,
  lt: `${prefix.slice(0, -1)}"`,
});

/** Room and seq of an `e!` key; undefined for any other key. */
export function entryOfKey(key: string): { readonly room: RoomId; readonly seq: number } | undefined {
  const parts = /^e!([A-Za-z0-9_-]{1,64})!([0-9a-z]{8})$/.exec(key);
  return parts ? { room: parts[1] as RoomId, seq: decodeSeq(parts[2] as string) } : undefined;
}
