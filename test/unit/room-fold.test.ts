/**
 * Who may do what in a room, and what the control entries make of it.
 */
import { describe, expect, it } from 'vitest';
import { type Judgement, RoomFold, type RoomWrite, type TargetFact } from '../../actors/room-fold.ts';
import type { Cid, FileId, UserId } from '../../system/ids.ts';
import type { Entry, MemberChange, RoomFacts, RoomKind } from '../../system/store/entry.ts';

const user = (name: string): UserId => name as UserId;
const [owner, moderator, member, stranger] = ['owner', 'moderator', 'member', 'stranger'].map(user) as [UserId, UserId, UserId, UserId];

const facts = (kind: RoomKind, isPublic = false): RoomFacts => ({
  kind,
  public: isPublic,
  members: [
    { user: owner, role: 'owner' },
    { user: moderator, role: 'moderator' },
    { user: member, role: 'member' },
  ],
});

let nextSeq = 1;
function entry(by: UserId, content: Partial<Entry>): Entry {
  const seq = nextSeq++;
  return { seq, n: 0, kind: content.room ? 'room' : 'member', by, at: 0, cid: `cid${seq}` as Cid, writer: 'w', ...content };
}
const change = (by: UserId, member_: MemberChange): Entry => entry(by, { member: member_ });

function room(kind: RoomKind = 'group', isPublic = false, ...changes: Entry[]): RoomFold {
  const fold = new RoomFold();
  fold.apply(entry(owner, { room: facts(kind, isPublic) }));
  for (const later of changes) fold.apply(later);
  return fold;
}

const known: ReadonlyMap<number, TargetFact> = new Map<number, TargetFact>([
  [5, { by: member, deleted: false }],
  [6, { by: member, deleted: true }],
  [7, 'absent'],
]);
const file = { id: 'f' as FileId, name: 'a.png', type: 'image/png', bytes: 3, sha256: 'x' };
function verdict(fold: RoomFold, by: UserId, write: RoomWrite): string {
  const judgement: Judgement = fold.judge({ by, cid: 'c' as Cid, write }, (seq) => known.get(seq));
  return judgement.type === 'refused' ? judgement.code : judgement.type;
}

describe('what a write becomes', () => {
  const kicked = change(owner, { user: member, change: 'kicked' });
  const left = change(member, { user: member, change: 'left' });
  const cases: [string, RoomFold, UserId, RoomWrite, string][] = [
    ['a stranger cannot write, and does not learn that the room exists', room(), stranger, { type: 'send', text: 'x' }, 'NOT_FOUND'],
    ['a stranger to a public room is told to join', room('channel', true), stranger, { type: 'send', text: 'x' }, 'FORBIDDEN'],
    ['anybody joins a public room', room('channel', true), stranger, { type: 'join' }, 'append'],
    ['nobody joins a private room by themselves', room(), stranger, { type: 'join' }, 'NOT_FOUND'],
    ['who is in has nothing to join', room('channel', true), member, { type: 'join' }, 'done'],
    ['who was removed does not join a public room again', room('channel', true, kicked), member, { type: 'join' }, 'FORBIDDEN'],
    ['who left joins a public room again', room('channel', true, left), member, { type: 'join' }, 'append'],
    ['a member leaves', room(), member, { type: 'leave' }, 'append'],
    ['who left has nothing to leave', room('group', false, left), member, { type: 'leave' }, 'done'],
    ['nobody leaves a dm', room('dm'), member, { type: 'leave' }, 'FORBIDDEN'],
    ['nobody is invited to a dm', room('dm'), owner, { type: 'invite', user: stranger }, 'FORBIDDEN'],
    ['nobody is removed from a dm', room('dm'), owner, { type: 'kick', user: member }, 'FORBIDDEN'],
    ['the same two people make their dm once', room('dm'), owner, { type: 'create', facts: facts('dm') }, 'done'],
    ['who is listed joins a room that is not public', room(), stranger, { type: 'join', listed: 'community' }, 'append'],
    ['who is listed does not join a dm', room('dm'), stranger, { type: 'join', listed: 'room' }, 'NOT_FOUND'],
    ['a list does not bring back who was removed', room('group', false, kicked), member, { type: 'join', listed: 'room' }, 'FORBIDDEN'],
    ['a room that is only listed is made by a member who joins', new RoomFold(), owner, { type: 'join', listed: 'room' }, 'append'],
    ['a room that is not there is not made by its community', new RoomFold(), owner, { type: 'join', listed: 'community' }, 'NOT_FOUND'],
    ['a room id is given once', room(), owner, { type: 'create', facts: facts('group') }, 'CONFLICT'],
    ['a room that is not there is created', new RoomFold(), owner, { type: 'create', facts: facts('group') }, 'append'],
    ['a member invites into a group', room(), member, { type: 'invite', user: stranger }, 'append'],
    ['a member does not invite into a channel', room('channel'), member, { type: 'invite', user: stranger }, 'FORBIDDEN'],
    ['a moderator invites into a channel', room('channel'), moderator, { type: 'invite', user: stranger }, 'append'],
    ['an invitation of a member is done', room(), owner, { type: 'invite', user: member }, 'done'],
    [
      'a member does not invite back whom a moderator removed',
      room('group', false, change(stranger, { user: stranger, change: 'invited' }), kicked),
      stranger,
      { type: 'invite', user: member },
      'FORBIDDEN',
    ],
    ['an owner invites back whom they removed', room('group', false, kicked), owner, { type: 'invite', user: member }, 'append'],
    ['a member removes nobody', room(), member, { type: 'kick', user: moderator }, 'FORBIDDEN'],
    ['a moderator removes a member', room(), moderator, { type: 'kick', user: member }, 'append'],
    ['a moderator does not remove the owner', room(), moderator, { type: 'kick', user: owner }, 'FORBIDDEN'],
    ['an owner removes a moderator', room(), owner, { type: 'kick', user: moderator }, 'append'],
    ['nobody removes themselves', room(), owner, { type: 'kick', user: owner }, 'INVALID'],
    ['nobody removes who is not in', room(), owner, { type: 'kick', user: stranger }, 'NOT_FOUND'],
    ['who was removed does not write', room('group', false, kicked), member, { type: 'send', text: 'x' }, 'NOT_FOUND'],
    ['a reply needs to know its parent', room(), member, { type: 'send', text: 'x', replyTo: 99 }, 'needs'],
    ['a reply to nothing is refused', room(), member, { type: 'send', text: 'x', replyTo: 7 }, 'NOT_FOUND'],
    ['a reply to a message is taken', room(), owner, { type: 'send', text: 'x', replyTo: 5 }, 'append'],
    ['a stranger sends no file', room(), stranger, { type: 'file', file }, 'NOT_FOUND'],
    ['a member sends a file', room(), member, { type: 'file', file }, 'append'],
    ['a file in reply to nothing is refused', room(), member, { type: 'file', file, replyTo: 7 }, 'NOT_FOUND'],
    ['the author edits', room(), member, { type: 'modify', target: 5, text: 'y' }, 'append'],
    ['an owner does not edit for others', room(), owner, { type: 'modify', target: 5, text: 'y' }, 'FORBIDDEN'],
    ['nobody edits what is deleted', room(), member, { type: 'modify', target: 6, text: 'y' }, 'NOT_FOUND'],
    ['the author deletes', room(), member, { type: 'delete', target: 5 }, 'append'],
    ['a moderator deletes for others', room(), moderator, { type: 'delete', target: 5 }, 'append'],
    [
      'a member does not delete for others',
      room('group', false, change(owner, { user: stranger, change: 'invited' })),
      stranger,
      { type: 'delete', target: 5 },
      'FORBIDDEN',
    ],
    ['what is deleted is not deleted again', room(), member, { type: 'delete', target: 6 }, 'NOT_FOUND'],
    ['any member reacts', room(), owner, { type: 'react', target: 5, emoji: '+', on: true }, 'append'],
    ['nobody reacts to what is deleted', room(), owner, { type: 'react', target: 6, emoji: '+', on: true }, 'NOT_FOUND'],
  ];
  it.each(cases)('%s', (_name, fold, by, write, expected) => {
    expect(verdict(fold, by, write)).toBe(expected);
  });
});

describe('the fold', () => {
  it('passes ownership to the longest-standing moderator, else member', () => {
    const fold = room();
    fold.apply(change(owner, { user: owner, change: 'left' }));
    expect(fold.membership(moderator)?.role).toBe('owner');
    fold.apply(change(moderator, { user: moderator, change: 'left' }));
    expect(fold.membership(member)?.role).toBe('owner');
  });

  it('gives who comes back the role of a member, whatever they were', () => {
    const fold = room(
      'channel',
      true,
      change(owner, { user: owner, change: 'left' }),
      change(owner, { user: owner, change: 'joined', role: 'member' }),
    );
    expect(fold.membership(owner)).toMatchObject({ role: 'member', status: 'in' });
    expect(fold.membership(moderator)?.role).toBe('owner');
  });

  it('does not change when a membership is applied twice', () => {
    const joined = change(stranger, { user: stranger, change: 'joined' });
    const kicked = change(owner, { user: stranger, change: 'kicked' });
    const fold = room('channel', true, joined, joined);
    expect(fold.size).toBe(4);
    fold.apply(kicked);
    fold.apply(kicked);
    expect(fold.size).toBe(3);
    expect(fold.membership(stranger)?.status).toBe('kicked');
  });

  it('ignores a removal that comes before the joining it speaks of', () => {
    const fold = room('group', false, change(owner, { user: stranger, change: 'kicked' }));
    expect(fold.membership(stranger)).toBeUndefined();
    expect(fold.size).toBe(3);
  });

  it('keeps the facts of the first room entry and is named after it', () => {
    const fold = room('group');
    const { epoch } = fold;
    fold.apply(entry(stranger, { room: facts('channel', true) }));
    expect(fold.facts?.kind).toBe('group');
    expect(fold.epoch).toBe(epoch);
  });

  it('is not changed by messages', () => {
    const fold = room();
    fold.apply(entry(member, { kind: 'message', text: 'x' }));
    expect(fold.size).toBe(3);
  });
});
