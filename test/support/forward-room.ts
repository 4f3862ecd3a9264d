/**
 * ForwardRoom: the pure state of a room that shares its log with other nodes, fed step by step, and what its effects come to.
 */
import type { RoomWrite, WriteCommand } from '../../actors/room-fold.ts';
import type { AnsweredOutcome, ForwardResult, RoomEffect, RoomInput, RoomSettings } from '../../actors/room-protocol.ts';
import { RoomState } from '../../actors/room-state.ts';
import type { Cid, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { testRoomSettings } from './actor-stage.ts';
import { birthOf, messageOf } from './entries.ts';

export const [ann, bob] = ['ann', 'bob'] as unknown as [UserId, UserId];
export const say = (cid: string, by = ann): WriteCommand => ({ by, cid: cid as Cid, write: { type: 'send', text: cid } });
export const doing = (cid: string, write: RoomWrite, by = ann): WriteCommand => ({ by, cid: cid as Cid, write });
const birth = birthOf(ann, bob, 'before');
export const entry = (seq: number, cid: string, writer = 'other', by = ann): Entry => messageOf(seq, cid, by, writer);
export const kick = (seq: number): Entry => ({ ...entry(seq, `kick${seq}`), kind: 'member', member: { user: bob, change: 'kicked' } });
export const stored = (seq: number, dup = false): ForwardResult => ({ seq, n: seq - 1, at: 7, dup });

export class Room {
  readonly state: RoomState;
  nowMs = 0;
  isLinked = true;
  constructor(change: Partial<RoomSettings> = {}) {
    const canForward = (writer: string): boolean => this.isLinked && writer === 'other';
    this.state = new RoomState({ ...testRoomSettings, writer: 'me', sharedLog: true, canForward, ...change });
    this.feed({ type: 'start' });
    this.feed({ type: 'loaded', head: { seq: 1, n: 0, writer: 'before' }, controls: [birth] });
  }
  feed(...inputs: RoomInput[]): RoomEffect[] {
    return this.state.handle(inputs, { nowMs: this.nowMs, wallMs: 0 });
  }
  send(key: number, command: WriteCommand): RoomEffect[] {
    return this.feed({ type: 'command', key, command });
  }
  tickAt(nowMs: number): RoomEffect[] {
    this.nowMs = nowMs;
    return this.feed({ type: 'tick' });
  }
  /** Another node's entry came by the wire. */
  hears(...entries: Entry[]): RoomEffect[] {
    return this.feed({ type: 'event', entries });
  }
  answered(id: number, ...results: (ForwardResult | undefined)[]): RoomEffect[] {
    return this.feed({ type: 'forwardDone', id, results });
  }
  receives(key: number, ...commands: WriteCommand[]): RoomEffect[] {
    return this.feed({ type: 'forwarded', key, commands, controlSeq: 1 });
  }
}

export const find = <T extends RoomEffect['type']>(effects: readonly RoomEffect[], type: T): Extract<RoomEffect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<RoomEffect, { type: T }> => effect.type === type);
export const outcomes = (effects: readonly RoomEffect[]): Record<number, AnsweredOutcome> =>
  Object.fromEntries(find(effects, 'answer').map(({ key, outcome }) => [key, outcome]));
export const forwarded = (effects: readonly RoomEffect[]): string[][] =>
  find(effects, 'forward').map(({ commands }) => commands.map(({ cid }) => cid));
export const appended = (effects: readonly RoomEffect[]): string[][] =>
  find(effects, 'append').map(({ entries }) => entries.map(({ cid }) => cid));

/** A room that has just heard of another node's entry. */
export function loser(change: Partial<RoomSettings> = {}): Room {
  const room = new Room(change);
  room.hears(entry(2, 'theirs'));
  return room;
}
