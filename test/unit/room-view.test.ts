/**
 * The room view: what a person sees after edits, deletes and reactions, live or folded in a page.
 */
import { describe, expect, it } from 'vitest';
import { clean, messageLines, paintFor } from '../../gateway/client/chat-format.ts';
import { parseTyped } from '../../gateway/client/chat-typed.ts';
import { RoomView } from '../../gateway/client/room-view.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';

let last = 0;
const entry = (fields: Partial<WireEntry>): WireEntry => {
  last = fields.seq ?? last + 1;
  return { n: 0, kind: 'message', by: 'bob', at: 0, cid: `c${last}`, ...fields, seq: last };
};
const said = (text: string, fields: Partial<WireEntry> = {}): WireEntry => entry({ kind: 'message', text, ...fields });

describe('room view', () => {
  it('quotes the answered message as it is when the reply comes', () => {
    const view = new RoomView();
    view.apply(said('one', { seq: 1 }));
    view.apply(entry({ kind: 'modify', target: 1, text: 'ONE' }));
    const change = view.apply(entry({ kind: 'reply', text: 'two', replyTo: 1 }));
    expect(change).toMatchObject({ type: 'message', message: { quote: { seq: 1, by: 'bob', text: 'ONE' } } });
    expect(view.apply(entry({ kind: 'reply', text: 'three', replyTo: 99 }))).toMatchObject({ message: { quote: { seq: 99 } } });
  });

  it('keeps a deleted message without text, whatever comes after', () => {
    const view = new RoomView();
    view.apply(said('secret', { seq: 1 }));
    view.apply(entry({ kind: 'react', target: 1, emoji: '👍', on: true }));
    view.apply(entry({ kind: 'delete', target: 1 }));
    view.apply(entry({ kind: 'modify', target: 1, text: 'back' }));
    expect(view.message(1)).toMatchObject({ seq: 1, deleted: true });
    expect(view.message(1)).not.toHaveProperty('text');
    expect(view.message(1)).not.toHaveProperty('reactions');
  });

  it('counts a reaction once a person, however often it is set, and forgets it when it is taken back', () => {
    const view = new RoomView();
    view.apply(said('one', { seq: 1 }));
    for (const by of ['ann', 'ann', 'bob']) view.apply(entry({ kind: 'react', target: 1, emoji: '👍', on: true, by }));
    expect(view.message(1)?.reactions).toEqual([{ emoji: '👍', users: ['ann', 'bob'] }]);
    for (const by of ['bob', 'ann']) view.apply(entry({ kind: 'react', target: 1, emoji: '👍', on: false, by }));
    expect(view.message(1)?.reactions).toBeUndefined();
  });

  it('does not undo a later edit that a page had folded in', () => {
    const view = new RoomView();
    view.reset([{ ...said('third text', { seq: 1 }), edited: 9 }]);
    view.apply(entry({ seq: 7, kind: 'modify', target: 1, text: 'second text' }));
    expect(view.message(1)?.text).toBe('third text');
    view.apply(entry({ seq: 10, kind: 'modify', target: 1, text: 'fourth' }));
    expect(view.message(1)).toMatchObject({ text: 'fourth', edited: 10 });
  });

  it('gives the same whether changes come live or folded', () => {
    const live = new RoomView();
    live.apply(said('a', { seq: 1 }));
    live.apply(entry({ seq: 2, kind: 'modify', target: 1, text: 'b' }));
    live.apply(entry({ seq: 3, kind: 'react', target: 1, emoji: 'x', on: true, by: 'ann' }));
    const folded = new RoomView();
    const { text: _text, ...rest } = said('a', { seq: 1 });
    folded.reset([{ ...rest, text: 'b', edited: 2, reactions: [{ emoji: 'x', users: ['ann'] }] }]);
    expect(live.messages()).toEqual(folded.messages());
  });

  it('names only the number where the changed message is not there, and stays within its bound', () => {
    const view = new RoomView(10);
    expect(view.apply(entry({ seq: 5, kind: 'delete', target: 1 }))).toMatchObject({ type: 'deleted', target: 1, message: undefined });
    for (let seq = 6; seq < 106; seq += 1) view.apply(said('x', { seq }));
    expect(view.size).toBeLessThanOrEqual(10);
    expect(view.message(105)).toBeDefined();
    expect(view.message(6)).toBeUndefined();
  });
});

describe('lines for a terminal', () => {
  it('carry no control character of another user', () => {
    const evil = 'a\u001b[2J\u001b]0;pwned\u0007b\rc\nd\u009bm\u202ee\u0000\u007f\u2028f\ttab';
    const lines = messageLines({ ...said(evil, { seq: 1 }), name: `x\u001b[31m`, quote: { seq: 2, by: 'm', text: evil } }, paintFor(false));
    for (const line of lines) expect(line).toMatch(/^[^\p{Cc}\u2028\u202e]*$/u);
    expect(clean('one\r\ntwo')).toBe('one ⏎ two');
  });

  it.each([
    ['hello', { type: 'text', text: 'hello' }],
    ['//etc', { type: 'text', text: '/etc' }],
    ['/reply 12 yes, and', { type: 'reply', target: 12, text: 'yes, and' }],
    ['/edit #3 better', { type: 'edit', target: 3, text: 'better' }],
    ['/delete 4', { type: 'delete', target: 4 }],
    ['/react 5 👍', { type: 'react', target: 5, emoji: '👍' }],
    ['/unreact 5 👍', { type: 'unreact', target: 5, emoji: '👍' }],
    ['/history', { type: 'history', before: undefined }],
    ['/history before 40', { type: 'history', before: 40 }],
    ['/quit', { type: 'quit' }],
    ['   ', { type: 'nothing' }],
  ])('understand %s', (line, typed) => {
    expect(parseTyped(line)).toEqual(typed);
  });

  it.each(['/reply x', '/reply 3', '/react 3', '/delete 0', '/nonsense'])('hint at what is wrong with %s', (line) => {
    expect(parseTyped(line).type).toBe('mistake');
  });
});
