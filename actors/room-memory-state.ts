/**
 * RoomMemory: what a room's writer remembers of the entries it learned, to answer without a read: recent commands by
 * their id, and facts about messages. Pure, bounded; what it forgot is read from the log again.
 */
import type { Cid, UserId } from '../system/ids.ts';
import { type Entry, type FileFacts, isMessage } from '../system/store/entry.ts';
import type { TargetFact, WriteCommand } from './room-fold.ts';

/** Recent commands kept for recognising a retry without a read; older ones are found through the log. */
const recentMax = 1024;
/** Facts about recent messages kept for edits, reactions and replies; others are read when needed. */
const factsMax = 2048;

export const keyOf = (by: UserId, cid: Cid): string => `${by}\n${cid}`;

export class RoomMemory {
  private readonly recent = new Map<string, Entry>();
  private readonly facts = new Map<number, TargetFact>();
  /** Targets deleted while their facts are being read: the read may be older than the delete. */
  private readonly deletedMeanwhile = new Set<number>();

  stored(key: string): Entry | undefined {
    return this.recent.get(key);
  }

  fact(target: number): TargetFact | undefined {
    return this.facts.get(target);
  }

  /** Takes an entry that follows the head. */
  learn(entry: Entry): void {
    this.recent.set(keyOf(entry.by, entry.cid), entry);
    if (this.recent.size > recentMax) this.recent.delete(this.recent.keys().next().value as string);
    if (isMessage(entry)) this.note(entry.seq, { by: entry.by, deleted: entry.scrubbed === true });
    if (entry.kind === 'delete' && entry.target !== undefined) {
      this.deletedMeanwhile.add(entry.target);
      const fact = this.facts.get(entry.target);
      if (fact && fact !== 'absent') this.facts.set(entry.target, { ...fact, deleted: true });
    }
  }

  /** A read of facts begins. */
  beginRead(): void {
    this.deletedMeanwhile.clear();
  }

  tookRead(facts: readonly { readonly target: number; readonly fact: TargetFact }[]): void {
    for (const { target, fact } of facts) {
      if (fact === 'absent' && this.facts.has(target)) continue; // Learned while the read was under way.
      this.note(target, fact !== 'absent' && this.deletedMeanwhile.has(target) ? { ...fact, deleted: true } : fact);
    }
  }

  private note(target: number, fact: TargetFact): void {
    this.facts.set(target, fact);
    if (this.facts.size > factsMax) this.facts.delete(this.facts.keys().next().value as number);
  }
}

/** Whether a stored entry is what this command asks for. A scrubbed text cannot be compared and counts as equal. */
export function sameContent({ write }: WriteCommand, entry: Entry): boolean {
  switch (write.type) {
    case 'send':
      return isText(entry) && entry.replyTo === write.replyTo && (entry.scrubbed === true || entry.text === write.text);
    case 'file':
      return entry.kind === 'file' && entry.replyTo === write.replyTo && (entry.scrubbed === true || sameFile(entry.file, write.file));
    case 'modify':
      return entry.kind === 'modify' && entry.target === write.target && (entry.scrubbed === true || entry.text === write.text);
    case 'delete':
      return entry.kind === 'delete' && entry.target === write.target;
    case 'react':
      return entry.kind === 'react' && entry.target === write.target && entry.emoji === write.emoji && entry.on === write.on;
    case 'create':
      return entry.kind === 'room';
    case 'join':
      return entry.member?.change === 'joined' || (write.listed === 'room' && entry.kind === 'room');
    case 'leave':
      return entry.member?.change === 'left';
    case 'invite':
      return entry.member?.change === 'invited' && entry.member.user === write.user;
    case 'kick':
      return entry.member?.change === 'kicked' && entry.member.user === write.user;
  }
}

const isText = ({ kind }: Entry): boolean => kind === 'message' || kind === 'reply';

/** A retry brings its bytes again, under another id. */
function sameFile(stored: FileFacts | undefined, sent: FileFacts): boolean {
  return stored?.sha256 === sent.sha256 && stored.name === sent.name && stored.bytes === sent.bytes;
}
