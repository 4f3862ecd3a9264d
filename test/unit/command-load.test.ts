/**
 * The bound of commands of all clients together: by number, by text, and who is refused first.
 */
import { describe, expect, it } from 'vitest';
import { CommandLoad, charsOf, commandCharsMax, commandsMaxOf } from '../../gateway/command-load.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';

const none = { commands: 0, chars: 0 };
function setUp(commandsMax = 100) {
  const lines: unknown[] = [];
  return { load: new CommandLoad(commandsMax, { emit: (line) => void lines.push(line) }), lines };
}

describe('the load of commands', () => {
  it('takes as many as its bound and counts those that were given back', () => {
    const { load } = setUp();
    for (let taken = 0; taken < 100; taken += 1) expect(load.take(10, none)).toBe(true);
    expect(load.take(10, none)).toBe(false);
    expect([load.commands, load.chars]).toEqual([100, 1_000]);
    load.give({ commands: 1, chars: 10 });
    expect(load.take(10, none)).toBe(true);
  });

  it('is smaller in a small heap, and as it is set in a large one', () => {
    expect(commandsMaxOf(10_000, 256 * 1024 * 1024)).toBe(2_048);
    expect(commandsMaxOf(10_000, 4_096 * 1024 * 1024)).toBe(10_000);
  });

  it('takes no more text than its bound, however few commands hold it', () => {
    const { load } = setUp();
    const chars = commandCharsMax / 20;
    for (let taken = 0; taken < 20; taken += 1) expect(load.take(chars, none)).toBe(true);
    expect(load.take(1, none)).toBe(false);
    load.give({ commands: 1, chars });
    expect(load.take(1, none)).toBe(true);
  });

  it('leaves others half of it when sixteen connections take all they can', () => {
    const { load } = setUp(3_200);
    const held = Array.from({ length: 16 }, () => ({ commands: 0, chars: 0 }));
    for (let round = 0; round < 300; round += 1) for (const each of held) if (load.take(0, each)) each.commands += 1;
    expect(load.commands).toBeGreaterThan(1_550);
    expect(load.commands).toBeLessThan(1_650);
    expect(load.take(0, none)).toBe(true);
  });

  it('does not let one connection take more than a sixteenth of the text', () => {
    const { load } = setUp(1_000_000);
    const mine = { commands: 0, chars: 0 };
    while (load.take(10_000, mine)) {
      mine.commands += 1;
      mine.chars += 10_000;
    }
    expect(mine.chars).toBeLessThanOrEqual(commandCharsMax / 16 + 10_000);
    expect(load.take(10_000, none)).toBe(true);
  });

  it('tells an operator once when it is four fifths full, and again after it was half empty', () => {
    const { load, lines } = setUp();
    for (let taken = 0; taken < 100; taken += 1) load.take(0, none);
    expect(lines).toEqual([{ ev: 'mailbox.high', path: '/gateway/commands', kind: 'commands', mailbox: 80, about: { chars: 0 } }]);
    load.give({ commands: 60, chars: 0 });
    for (let taken = 0; taken < 60; taken += 1) load.take(0, none);
    expect(lines).toHaveLength(2);
  });

  it('counts what a command holds: its text, or the ids it names', () => {
    const [room, cid, user] = ['r' as RoomId, 'c' as Cid, 'ada' as UserId];
    expect(charsOf({ type: 'message.send', room, cid, text: 'hello' })).toBe(5);
    expect(charsOf({ type: 'presence.watch', users: [user, user] })).toBe(6);
    expect(charsOf({ type: 'room.create', kind: 'group', public: false, members: [user] })).toBe(3);
    expect(charsOf({ type: 'room.list' })).toBe(0);
  });
});
