/**
 * Ids: the branded names of things, and the only place that makes random ones.
 *
 * Guarantees: an id that passed `is…Id` is safe as a key, a file name part and a log field.
 * Does not: check that the thing exists.
 */
import { createHash, randomBytes } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type RoomId = Branded<'RoomId'>;
export type UserId = Branded<'UserId'>;
export type SessionId = Branded<'SessionId'>;
export type NodeId = Branded<'NodeId'>;
/** One life of a node: node id and a random part made at boot. A restarted node is another incarnation. */
export type Incarnation = Branded<'Incarnation'>;
/** An uploaded file: what it belongs to, hashed, and a random part. */
export type FileId = Branded<'FileId'>;
/** The client's own id of a command, unique for ever per (room, sender). Ids made here start with `sys:`, which clients cannot send. */
export type Cid = Branded<'Cid'>;

/** What users, rooms and clients' command ids look like on the wire. */
export const idPattern = /^[A-Za-z0-9_-]{1,64}$/;

export const isRoomId = (value: string): value is RoomId => idPattern.test(value);
export const isUserId = (value: string): value is UserId => idPattern.test(value);
export const isCid = (value: string): value is Cid => idPattern.test(value);

/** A random id of 128 bits, base64url: 22 characters that fit `idPattern`. */
export function newId(): string {
  return randomBytes(16).toString('base64url');
}

/** Chance for back-off and jitter, from 0 up to 1. Not for secrets. */
export const chance = (): number => Math.random();

export function newIncarnation(node: NodeId): Incarnation {
  return `${node}.${randomBytes(6).toString('base64url')}` as Incarnation;
}

/** The one room of two people: derived, so that two nodes cannot make two. Order of the users does not matter. */
export function dmRoomId(a: UserId, b: UserId): RoomId {
  const [first, second] = a < b ? [a, b] : [b, a];
  const digest = createHash('sha256').update(`${first}\n${second}`).digest('base64url');
  return `dm-${digest}` as RoomId;
}
