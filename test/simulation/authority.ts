/**
 * Authority: the checker's own idea of who may do what, written from the README and not from `room-fold.ts`.
 */
import type { WriteCommand } from '../../actors/room-fold.ts';
import { type Entry, isMessage, type Role } from '../../system/store/entry.ts';

export class Authority {
  private readonly roles = new Map<string, Role>();
  private readonly kicked = new Set<string>();
  private readonly authors = new Map<number, string>();
  private readonly deleted = new Set<number>();
  private joined: string[] = [];
  private isPublic = false;
  private kind: string | undefined;

  isMember(user: string): boolean {
    return this.roles.has(user);
  }

  apply(entry: Entry): void {
    if (entry.room) {
      this.kind = entry.room.kind;
      this.isPublic = entry.room.public;
      for (const { user, role } of entry.room.members) this.enter(user, role);
    }
    if (isMessage(entry)) this.authors.set(entry.seq, entry.by);
    if (entry.kind === 'delete' && entry.target !== undefined) this.deleted.add(entry.target);
    const { member } = entry;
    if (!member) return;
    if (member.change === 'joined' || member.change === 'invited') return this.enter(member.user, 'member');
    if (member.change === 'kicked') this.kicked.add(member.user);
    const wasOwner = this.roles.get(member.user) === 'owner';
    this.roles.delete(member.user);
    this.joined = this.joined.filter((user) => user !== member.user);
    if (wasOwner && ![...this.roles.values()].includes('owner')) {
      const heir = this.joined.find((user) => this.roles.get(user) === 'moderator') ?? this.joined[0];
      if (heir !== undefined) this.roles.set(heir, 'owner');
    }
  }

  private enter(user: string, role: Role): void {
    if (this.roles.has(user)) return;
    this.roles.set(user, role);
    this.kicked.delete(user);
    this.joined.push(user);
  }

  /** Why an entry of this author and content may not stand after what was applied; undefined: it may. */
  objection(by: string, write: WriteCommand['write']): string | undefined {
    if (write.type === 'create') return this.kind === undefined ? undefined : 'the room exists';
    if (write.type === 'join') {
      if (this.roles.has(by)) return 'is in already';
      return this.isPublic && !this.kicked.has(by) ? undefined : 'may not join by themselves';
    }
    const role = this.roles.get(by);
    if (!role) return 'is no member';
    switch (write.type) {
      case 'leave':
        return this.kind === 'dm' ? 'cannot leave a dm' : undefined;
      case 'invite':
        if (this.roles.has(write.user)) return 'invites a member';
        return role === 'member' && (this.kind === 'channel' || this.kicked.has(write.user)) ? 'may not invite' : undefined;
      case 'kick': {
        const other = this.roles.get(write.user);
        if (role === 'member' || other === undefined || write.user === by) return 'may not kick';
        return other === 'owner' || (other === 'moderator' && role === 'moderator') ? 'kicks above their rank' : undefined;
      }
      case 'send':
      case 'file':
        return write.replyTo === undefined || this.authors.has(write.replyTo) ? undefined : 'replies to nothing';
      default: {
        const author = this.authors.get(write.target);
        if (author === undefined) return 'changes nothing that exists';
        if (this.deleted.has(write.target)) return 'changes what is deleted';
        if (write.type === 'modify') return author === by ? undefined : "edits another's message";
        return write.type === 'react' || author === by || role !== 'member' ? undefined : "deletes another's message";
      }
    }
  }
}
