/**
 * NodeForwards: a room's commands on their way to the node that wrote last, and those of other nodes on their way to a room here.
 *
 * Between the rooms and the node link: what is forwarded becomes a question of text, and its answer what the room's state knows.
 * Guarantees: what does not read exactly as a forward, or as its answer, is nothing: no room hears of it, and no client is answered by it.
 * Does not: judge commands; the room that gets them does, by its own fold and bounds.
 */
import { z } from 'zod';
import type { NodeLink } from '../system/cluster/node-link.ts';
import { type Cid, type FileId, type Incarnation, isRoomId, isUserId, type RoomId, type UserId } from '../system/ids.ts';
import type { WriteCommand } from './room-fold.ts';
import type { ForwardResults, RoomEffect } from './room-protocol.ts';

type ForwardEffect = Extract<RoomEffect, { type: 'forward' }>;

/** What a room needs to forward. */
export interface RoomForwards {
  /** Whether there is a link to that incarnation, as far as is known. */
  canForward(writer: string): boolean;
  /** false: certainly not sent. true: `done` is called at most once, later; undefined: nothing is known. */
  forward(room: RoomId, effect: ForwardEffect, done: (results: ForwardResults | undefined) => void): boolean;
}

/** Commands of another node, for a room here. `reply` is called once. */
export interface Forwarded {
  readonly commands: readonly WriteCommand[];
  readonly controlSeq: number;
  readonly reply: (results: ForwardResults | undefined) => void;
}

export class NodeForwards implements RoomForwards {
  private readonly link: NodeLink;

  constructor(link: NodeLink) {
    this.link = link;
  }

  canForward(writer: string): boolean {
    return this.link.isLinked(writer as Incarnation);
  }

  forward(room: RoomId, { to, commands, controlSeq }: ForwardEffect, done: (results: ForwardResults | undefined) => void): boolean {
    const question = JSON.stringify({ v: 1, room, controlSeq, commands });
    return this.link.ask(to as Incarnation, question, (answer) => done(decodeResults(answer, commands.length)));
  }

  /** From now on rooms here take what other nodes forward. `take`: whether the room was told. */
  serve(take: (room: RoomId, forwarded: Forwarded) => boolean): void {
    this.link.listen((_from, question, answer) => {
      const decoded = decodeForward(question);
      if (!decoded) return answer(undefined);
      const { room, commands, controlSeq } = decoded;
      const reply = (results: ForwardResults | undefined): void => answer(results && encodeResults(results));
      if (!take(room, { commands, controlSeq, reply })) answer(undefined);
    });
  }
}

// ---- text ----

const seq = z.int().nonnegative();
const userId = z.custom<UserId>((value) => typeof value === 'string' && isUserId(value));
const roomId = z.custom<RoomId>((value) => typeof value === 'string' && isRoomId(value));
const cid = z.custom<Cid>((value) => typeof value === 'string' && /^[!-~]{1,256}$/.test(value));
const word = z.string().min(1).max(256);
const file = z.strictObject({
  id: z.custom<FileId>((value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value)),
  name: word,
  type: word,
  bytes: seq,
  sha256: word,
});
const write = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('join'), listed: z.exactOptional(z.enum(['room', 'community'])) }),
  z.strictObject({ type: z.literal('leave') }),
  z.strictObject({ type: z.literal('invite'), user: userId }),
  z.strictObject({ type: z.literal('kick'), user: userId }),
  z.strictObject({ type: z.literal('send'), text: z.string(), replyTo: z.exactOptional(seq) }),
  z.strictObject({ type: z.literal('file'), file, replyTo: z.exactOptional(seq) }),
  z.strictObject({ type: z.literal('modify'), target: seq, text: z.string() }),
  z.strictObject({ type: z.literal('delete'), target: seq }),
  z.strictObject({ type: z.literal('react'), target: seq, emoji: word, on: z.boolean() }),
]);
/** A room's creation is never forwarded: before it nobody has won anything. */
const forward = z.strictObject({
  v: z.literal(1),
  room: roomId,
  controlSeq: seq,
  commands: z.array(z.strictObject({ by: userId, name: z.exactOptional(z.string().max(1_024)), cid, write })).min(1),
});
const results = z.strictObject({
  v: z.literal(1),
  results: z.array(z.union([z.null(), z.tuple([seq.positive(), seq, z.number(), z.boolean()])])),
});

function decodeForward(
  text: string,
): { readonly room: RoomId; readonly controlSeq: number; readonly commands: readonly WriteCommand[] } | undefined {
  return forward.safeParse(parsed(text)).data;
}

function encodeResults(all: ForwardResults): string {
  return JSON.stringify({ v: 1, results: all.map((result) => (result ? [result.seq, result.n, result.at, result.dup] : null)) });
}

/** One for each command, or nothing. */
function decodeResults(text: string | undefined, count: number): ForwardResults | undefined {
  const read = text === undefined ? undefined : results.safeParse(parsed(text)).data?.results;
  if (read?.length !== count) return undefined;
  return read.map((result) => (result ? { seq: result[0], n: result[1], at: result[2], dup: result[3] } : undefined));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
