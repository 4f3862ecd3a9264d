/**
 * RoomFold: who is in a room and what they may do, folded from the room's control entries. Pure.
 *
 * Guarantees: two nodes that folded the same entries give the same verdict on the same write.
 * Does not: know messages; facts about a target (author, deleted) are handed in.
 */
import type { ErrorCode } from '../system/errors.ts';
import type { Cid, UserId } from '../system/ids.ts';
import type { Entry, FileFacts, Role, RoomFacts } from '../system/store/entry.ts';

export type RoomWrite =
  | { readonly type: 'create'; readonly facts: RoomFacts }
  /** `listed`: the outside directory lists the user, as a member of this room or of its community. Set by a room's actor only. */
  | { readonly type: 'join'; readonly listed?: 'room' | 'community' }
  | { readonly type: 'leave' }
  | { readonly type: 'invite'; readonly user: UserId }
  | { readonly type: 'kick'; readonly user: UserId }
  | { readonly type: 'send'; readonly text: string; readonly replyTo?: number }
  /** Its bytes are stored. */
  | { readonly type: 'file'; readonly file: FileFacts; readonly replyTo?: number }
  | { readonly type: 'modify'; readonly target: number; readonly text: string }
  | { readonly type: 'delete'; readonly target: number }
  | { readonly type: 'react'; readonly target: number; readonly emoji: string; readonly on: boolean };

/** A write by somebody, with the id that makes its retry recognisable for ever. */
export interface WriteCommand {
  readonly by: UserId;
  readonly name?: string;
  readonly cid: Cid;
  readonly write: RoomWrite;
}

/** What a write needs to know of the entry it points at; 'absent': no message has that number. */
export type TargetFact = { readonly by: UserId; readonly deleted: boolean } | 'absent';

/** The part of an entry the writer decides; number, time and writer are added by the appender. */
export type EntryDraft = Pick<Entry, 'kind'> &
  Partial<Pick<Entry, 'text' | 'replyTo' | 'target' | 'emoji' | 'on' | 'member' | 'room' | 'file'>>;

/**
 * append: make this entry. done: it is so already, nothing to store. refused: with a code and the reason for the client.
 * needs: the fact about this target must be read first.
 */
export type Judgement =
  | { readonly type: 'append'; readonly draft: EntryDraft }
  | { readonly type: 'done' }
  | { readonly type: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly type: 'needs'; readonly target: number };

export interface Membership {
  readonly role: Role;
  readonly status: 'in' | 'left' | 'kicked';
  /** Seq and message count of the entry that brought them in. */
  readonly joinedSeq: number;
  readonly joinedN: number;
  /** Seq of the last entry that changed this membership. */
  readonly changedSeq: number;
}

/** Most members of one room; an invite or join beyond is refused with FORBIDDEN. */
export const membersMax = 10_000;

const notFound: Judgement = { type: 'refused', code: 'NOT_FOUND', message: 'no such room' };
const noMessage: Judgement = { type: 'refused', code: 'NOT_FOUND', message: 'no such message in this room' };
const forbidden = (message: string): Judgement => ({ type: 'refused', code: 'FORBIDDEN', message });

export class RoomFold {
  facts: RoomFacts | undefined;
  /** Names this life of the room's log: the cid of its first entry. A position is (epoch, seq). */
  epoch = '';
  /** Seq of the last control entry applied. */
  controlSeq = 0;
  private readonly members = new Map<UserId, Membership>();
  private memberCount = 0;

  /** Applies a control entry; entries of other kinds change nothing here. Apply each entry once, in order of seq. */
  apply(entry: Entry): void {
    if (entry.room || entry.member) this.controlSeq = entry.seq;
    if (entry.room && !this.facts) {
      this.facts = entry.room;
      this.epoch = entry.cid;
      for (const { user, role } of entry.room.members) this.setIn(user, role, entry);
    }
    if (entry.member) this.applyMember(entry.member, entry);
  }

  private applyMember(change: NonNullable<Entry['member']>, entry: Entry): void {
    if (change.change === 'joined' || change.change === 'invited') {
      this.setIn(change.user, change.role ?? 'member', entry);
      return;
    }
    const was = this.members.get(change.user);
    if (was?.status !== 'in') return;
    this.memberCount -= 1;
    this.members.set(change.user, { ...was, status: change.change, changedSeq: entry.seq });
    if (was.role === 'owner') this.passOwnership();
  }

  private setIn(user: UserId, role: Role, entry: Entry): void {
    const was = this.members.get(user);
    if (was?.status === 'in') return;
    this.members.delete(user); // Order of the map is order of joining.
    this.members.set(user, { role, status: 'in', joinedSeq: entry.seq, joinedN: entry.n, changedSeq: entry.seq });
    this.memberCount += 1;
  }

  /** An owner who left is followed by the longest-standing moderator, else member: the same on every node. */
  private passOwnership(): void {
    for (const wanted of ['owner', 'moderator', 'member'] as const) {
      for (const [user, membership] of this.members) {
        if (membership.status !== 'in' || membership.role !== wanted) continue;
        this.members.set(user, { ...membership, role: 'owner' });
        return;
      }
    }
  }

  membership(user: UserId): Membership | undefined {
    return this.members.get(user);
  }

  isMember(user: UserId): boolean {
    return this.members.get(user)?.status === 'in';
  }

  get size(): number {
    return this.memberCount;
  }

  /** Ids of members, in the order they joined; at most so many. */
  memberIds(countMax: number): readonly UserId[] {
    const ids: UserId[] = [];
    for (const [user, { status }] of this.members) {
      if (ids.length === countMax) break;
      if (status === 'in') ids.push(user);
    }
    return ids;
  }

  /** What becomes of a write, given this state and what is known of targets (undefined: not read yet). */
  judge(command: WriteCommand, factOf: (seq: number) => TargetFact | undefined): Judgement {
    const { write, by } = command;
    if (write.type === 'create') {
      const isSameDm = this.facts?.kind === 'dm' && write.facts.kind === 'dm' && this.isMember(by);
      if (isSameDm) return { type: 'done' };
      if (this.facts) return { type: 'refused', code: 'CONFLICT', message: 'a room with this id exists' };
      return { type: 'append', draft: { kind: 'room', room: write.facts } };
    }
    if (!this.facts) return write.type === 'join' && write.listed === 'room' ? outsideRoom(by) : notFound;
    const me = this.members.get(by);
    if (write.type === 'join') return this.judgeJoin(by, me, this.facts, write.listed !== undefined);
    if (me?.status !== 'in') {
      if (write.type === 'leave' && me) return { type: 'done' };
      return this.facts.public ? forbidden('you are not a member of this room; join it first') : notFound;
    }
    switch (write.type) {
      case 'leave':
        if (this.facts.kind === 'dm') return forbidden('a direct room cannot be left');
        return { type: 'append', draft: { kind: 'member', member: { user: by, change: 'left' } } };
      case 'invite':
        return this.judgeInvite(me, write.user, this.facts);
      case 'kick':
        return this.judgeKick(me, by, write.user, this.facts);
      case 'send':
      case 'file':
        return judgeSend(write, factOf);
      default:
        return judgeChange(write, by, me, factOf);
    }
  }

  private judgeJoin(by: UserId, me: Membership | undefined, facts: RoomFacts, isListed: boolean): Judgement {
    if (me?.status === 'in') return { type: 'done' };
    if (!facts.public && !(isListed && facts.kind !== 'dm')) return notFound;
    // Also when they are listed: the log is newer than any list, and a list that is old must not undo it.
    if (me?.status === 'kicked') return forbidden('you were removed from this room; a member with the right to must invite you');
    if (this.memberCount >= membersMax) return forbidden(`the room is full: ${membersMax} members`);
    return { type: 'append', draft: { kind: 'member', member: { user: by, change: 'joined', role: 'member' } } };
  }

  private judgeInvite(me: Membership, user: UserId, facts: RoomFacts): Judgement {
    if (facts.kind === 'dm') return forbidden('a direct room has two members for ever');
    const other = this.members.get(user);
    if (other?.status === 'in') return { type: 'done' };
    if (me.role === 'member' && (facts.kind === 'channel' || other?.status === 'kicked')) {
      return forbidden('only owners and moderators may invite here');
    }
    if (this.memberCount >= membersMax) return forbidden(`the room is full: ${membersMax} members`);
    return { type: 'append', draft: { kind: 'member', member: { user, change: 'invited', role: 'member' } } };
  }

  private judgeKick(me: Membership, by: UserId, user: UserId, facts: RoomFacts): Judgement {
    if (facts.kind === 'dm') return forbidden('a direct room has two members for ever');
    if (me.role === 'member') return forbidden('only owners and moderators may remove members');
    if (user === by) return { type: 'refused', code: 'INVALID', message: 'user: to go yourself, leave the room' };
    const other = this.members.get(user);
    if (other?.status !== 'in') return { type: 'refused', code: 'NOT_FOUND', message: 'no such member in this room' };
    if (other.role === 'owner' || (other.role === 'moderator' && me.role !== 'owner'))
      return forbidden('you cannot remove someone of your rank or above');
    return { type: 'append', draft: { kind: 'member', member: { user, change: 'kicked' } } };
  }
}

/** A room that only the outside directory knew: its first member to come makes it. Nobody owns it: the directory says who may come. */
function outsideRoom(by: UserId): Judgement {
  return { type: 'append', draft: { kind: 'room', room: { kind: 'group', public: false, members: [{ user: by, role: 'member' }] } } };
}

function judgeSend(write: Extract<RoomWrite, { type: 'send' | 'file' }>, factOf: (seq: number) => TargetFact | undefined): Judgement {
  if (write.replyTo === undefined) {
    return { type: 'append', draft: write.type === 'file' ? { kind: 'file', file: write.file } : { kind: 'message', text: write.text } };
  }
  const fact = factOf(write.replyTo);
  if (fact === undefined) return { type: 'needs', target: write.replyTo };
  if (fact === 'absent') return { type: 'refused', code: 'NOT_FOUND', message: 'replyTo: no such message in this room' };
  if (write.type === 'file') return { type: 'append', draft: { kind: 'file', file: write.file, replyTo: write.replyTo } };
  return { type: 'append', draft: { kind: 'reply', text: write.text, replyTo: write.replyTo } };
}

function judgeChange(
  write: Extract<RoomWrite, { type: 'modify' | 'delete' | 'react' }>,
  by: UserId,
  me: Membership,
  factOf: (seq: number) => TargetFact | undefined,
): Judgement {
  const fact = factOf(write.target);
  if (fact === undefined) return { type: 'needs', target: write.target };
  if (fact === 'absent' || (fact.deleted && write.type !== 'delete')) return noMessage;
  switch (write.type) {
    case 'modify':
      if (fact.by !== by) return forbidden('only the author may edit a message');
      return { type: 'append', draft: { kind: 'modify', target: write.target, text: write.text } };
    case 'delete':
      if (fact.by !== by && me.role === 'member') return forbidden('only the author or a moderator may delete a message');
      if (fact.deleted) return noMessage;
      return { type: 'append', draft: { kind: 'delete', target: write.target } };
    default:
      return { type: 'append', draft: { kind: 'react', target: write.target, emoji: write.emoji, on: write.on } };
  }
}
