/**
 * RoomAnswers: who waits for an answer of a room, and in which form.
 *
 * Guarantees: each is answered once. Outlives a crash of the room, so that those who waited can be told.
 */
import { type ActorRef, tell } from '../system/actor.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Answer, RoomView } from './client-command.ts';
import { NumberedRing } from './numbered-ring.ts';
import type { RoomFold, WriteCommand } from './room-fold.ts';
import type { AnsweredOutcome, ReaderId } from './room-protocol.ts';

export interface Owed {
  readonly replyTo: ActorRef<Answer>;
  readonly user: UserId;
  /** Of an open. */
  readonly reader?: ReaderId;
  /** Of a mark: the session that asked. */
  readonly from?: ReaderId;
  /** Of a join, while the outside directory may still have a word. */
  join?: WriteCommand | undefined;
  readonly form: 'room' | 'stored' | 'done' | 'read';
}

export class RoomAnswers {
  private readonly room: RoomId;
  private readonly owed = new NumberedRing<Owed>();
  private lastKey = 0;

  constructor(room: RoomId) {
    this.room = room;
  }

  get size(): number {
    return this.owed.size;
  }

  newKey(): number {
    this.lastKey += 1;
    return this.lastKey;
  }

  owe(owed: Owed): number {
    const key = this.newKey();
    this.owed.add(key, owed);
    return key;
  }

  find(key: number): Owed | undefined {
    return this.owed.get(key);
  }

  take(key: number): Owed | undefined {
    return this.owed.take(key);
  }

  refuseAll(refusal: Refusal): void {
    for (const { replyTo } of this.owed.values()) tell(replyTo, { ok: false, refusal });
    this.owed.clear();
  }

  /** Answers what `take` gave, in the form that was asked for. */
  answer({ replyTo, user, form }: Owed, outcome: AnsweredOutcome, room: { readonly fold: RoomFold; readonly headSeq: number }): void {
    if (outcome.type === 'refused') {
      tell(replyTo, { ok: false, refusal: refuse(outcome.code, outcome.message, outcome.retryAfterMs) });
    } else if (outcome.type === 'opened') {
      tell(replyTo, { ok: true, result: outcome });
    } else if (form === 'room') {
      tell(replyTo, { ok: true, result: { type: 'room', room: viewOf(this.room, room, user) } });
    } else if (outcome.type === 'stored' && form === 'stored') {
      const { seq, at, file } = outcome.entry;
      tell(replyTo, { ok: true, result: { type: 'stored', seq, at, dup: outcome.dup, ...(file === undefined ? undefined : { file }) } });
    } else {
      tell(replyTo, { ok: true, result: { type: 'done' } });
    }
  }
}

export function formOf({ write }: WriteCommand): Owed['form'] {
  if (write.type === 'create' || write.type === 'join') return 'room';
  return write.type === 'leave' || write.type === 'invite' || write.type === 'kick' ? 'done' : 'stored';
}

function viewOf(id: RoomId, { fold, headSeq }: { readonly fold: RoomFold; readonly headSeq: number }, user: UserId): RoomView {
  const { facts, epoch, size } = fold;
  return {
    id,
    kind: facts?.kind ?? 'group',
    ...(facts?.name === undefined ? undefined : { name: facts.name }),
    public: facts?.public ?? false,
    ...(facts?.community === undefined ? undefined : { community: facts.community }),
    role: fold.membership(user)?.role ?? 'member',
    head: headSeq,
    epoch,
    members: size,
  };
}
