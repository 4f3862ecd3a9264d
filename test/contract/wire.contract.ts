/**
 * The contract of Wire, for any twin: what is published on one node is heard on the others, in whatever order and however
 * often; never on one's own; never inside the call.
 */
import { expect, it } from 'vitest';
import type { RoomId, UserId } from '../../system/ids.ts';
import { type Entry, emptyHead } from '../../system/store/entry.ts';
import type { RoomSignal, StateEvent, Wire, WireListener } from '../../system/wire/wire.ts';
import { type Draft, entriesAfter as entriesFrom } from '../support/entries.ts';
import { waitUntil } from '../support/store-processes.ts';

/** Wires of nodes of one cluster that nobody else is in. */
export interface WireFactory {
  /** Ready: what is published from now on is heard. */
  join(...nodes: readonly string[]): Promise<readonly Wire[]>;
}

export interface Heard {
  readonly entries: { readonly room: RoomId; readonly entries: readonly Entry[] }[];
  readonly hints: { readonly room: RoomId; readonly seq: number }[];
  readonly signals: { readonly room: RoomId; readonly signal: RoomSignal }[];
  readonly states: StateEvent[];
}

/** Listens and keeps what it hears. */
export function listen(wire: Wire, rules: Partial<Pick<WireListener, 'wants' | 'wantsUser'>> = {}): Heard & { readonly end: () => void } {
  const heard: Heard = { entries: [], hints: [], signals: [], states: [] };
  const end = wire.subscribe({
    wants: () => true,
    ...rules,
    onEntries: (room, entries) => void heard.entries.push({ room, entries }),
    onHint: (room, seq) => void heard.hints.push({ room, seq }),
    onSignal: (room, signal) => void heard.signals.push({ room, signal }),
    onState: (event) => void heard.states.push(event),
  });
  return { ...heard, end };
}

export const entriesOf = (heard: Heard, room: RoomId): Entry[] =>
  heard.entries.filter((each) => each.room === room).flatMap(({ entries }) => entries);

/** Entries of every kind in turn, with every field. */
export const entriesAfter = (count: number): readonly Entry[] =>
  entriesFrom(
    emptyHead,
    Array.from({ length: count }, (_, index) => drafts[index % drafts.length] as Draft),
  );

const drafts: readonly Draft[] = [
  { kind: 'room', room: { kind: 'group', public: true, name: 'Lobby', members: [{ user: 'ada' as UserId, role: 'owner' }] } },
  { kind: 'message', name: 'Ada', text: 'hello, \u{1f44b} \ud800 "quoted"' },
  { kind: 'reply', replyTo: 2 },
  { kind: 'modify', target: 2 },
  { kind: 'react', target: 2, emoji: '\u{1f44d}', on: true },
  { kind: 'member', member: { user: 'bob' as UserId, change: 'invited', role: 'member' } },
  { kind: 'delete', target: 2 },
  { kind: 'file', text: 'picture.png' },
];

const room = (id: string) => id as RoomId;
const user = (id: string) => id as UserId;
const typing = (who: string, isTyping = true): RoomSignal => ({ type: 'typing', user: user(who), isTyping });
const read = (who: string, seq: number): RoomSignal => ({ type: 'read', mark: { user: user(who), seq, n: seq }, isImplied: false });

export function wireContract(factory: WireFactory): void {
  it('brings entries of every kind and room to all other nodes as they are, and never to the publisher', async () => {
    const [one, two, three] = (await factory.join('one', 'two', 'three')) as [Wire, Wire, Wire];
    const heard = [one, two, three].map((wire) => listen(wire)) as unknown as [Heard, Heard, Heard];
    const kinds = ['dm', 'group', 'channel'] as const;
    const entries = entriesAfter(8);
    for (const kind of kinds) one.publish(room(kind), kind, entries);
    expect(heard.flatMap((each) => each.entries)).toEqual([]);
    for (const [name, each] of [
      ['two', heard[1]],
      ['three', heard[2]],
    ] as const) {
      for (const kind of kinds) {
        await waitUntil(`${name} has heard of ${kind}`, () => entriesOf(each, room(kind)).length >= entries.length);
        const bySeq = new Map(entriesOf(each, room(kind)).map((entry) => [entry.seq, entry]));
        expect([...bySeq.values()].sort((a, b) => a.seq - b.seq)).toEqual(entries);
      }
    }
    two.publish(room('dm'), 'dm', entries.slice(0, 1));
    await waitUntil('one hears of two', () => heard[0].entries.length > 0);
    expect(heard[0].entries).toEqual([{ room: 'dm', entries: entries.slice(0, 1) }]);
  });

  it('asks whether a room is wanted, and skips rooms that are not', async () => {
    const [one, two] = (await factory.join('one', 'two')) as [Wire, Wire];
    const asked = new Set<string>();
    const heard = listen(two, {
      wants(of) {
        asked.add(of);
        return of === 'a';
      },
    });
    const entries = entriesAfter(1);
    one.publish(room('b'), 'group', entries);
    one.publish(room('a'), 'group', entries);
    one.publish(room('a'), 'group', []);
    await waitUntil('the wanted room is heard of', () => heard.entries.length === 1 && asked.has('b'));
    expect(heard.entries).toEqual([{ room: 'a', entries }]);
  });

  it('brings signals: to rooms that are wanted, and read marks to where their user is', async () => {
    const [one, two] = (await factory.join('one', 'two')) as [Wire, Wire];
    const heard = listen(two, { wants: (of) => of === 'a', wantsUser: (who) => who === 'bob' });
    one.signal(room('b'), 'dm', typing('bob'));
    one.signal(room('b'), 'dm', read('ada', 4));
    one.signal(room('b'), 'dm', read('bob', 5));
    one.signal(room('a'), 'dm', typing('ada'));
    one.signal(room('a'), 'dm', typing('ada', false));
    one.signal(room('a'), 'dm', read('ada', 6));
    await waitUntil('all wanted signals are heard', () => heard.signals.length === 4);
    expect(heard.signals).toEqual([
      { room: 'b', signal: read('bob', 5) },
      { room: 'a', signal: typing('ada') },
      { room: 'a', signal: typing('ada', false) },
      { room: 'a', signal: read('ada', 6) },
    ]);
  });

  it('brings what happened to presence and voice', async () => {
    const [one, two] = (await factory.join('one', 'two')) as [Wire, Wire];
    const heard = listen(two, { wants: () => false });
    const events: readonly StateEvent[] = [
      { type: 'connect', userId: 'ada', state: 'online', ids: ['direct/1', 'group/7'] },
      { type: 'enter', userId: 'ada', communityId: '3', channelId: 'c-31' },
      { type: 'disconnect', userId: 'ada' },
    ];
    for (const event of events) one.state(event);
    await waitUntil('all of it is heard', () => heard.states.length === events.length);
    expect(heard.states).toEqual(events);
  });

  it('lets a listener publish, without ever running inside another listener', async () => {
    const [one, two] = (await factory.join('one', 'two')) as [Wire, Wire];
    const entries = entriesAfter(1);
    let depth = 0;
    let count = 0;
    const echo = (wire: Wire): WireListener => ({
      wants: () => true,
      onEntries() {
        expect(depth).toBe(0);
        depth += 1;
        count += 1;
        if (count < 5) wire.publish(room('a'), 'group', entries);
        depth -= 1;
      },
    });
    one.subscribe(echo(one));
    two.subscribe(echo(two));
    one.publish(room('a'), 'group', entries);
    await waitUntil('it went to and fro', () => count === 5);
  });

  it('stops at the end of a subscription and of a wire; a closed one says so, is degraded, and takes calls', async () => {
    const [one, two] = (await factory.join('one', 'two')) as [Wire, Wire];
    const ended = listen(two);
    const goesOn = listen(two);
    ended.end();
    ended.end();
    one.publish(room('a'), 'group', entriesAfter(1));
    await waitUntil('the other subscription hears', () => goesOn.entries.length === 1);
    expect(ended.entries).toEqual([]);
    expect(two.health()).toBe('up');
    await two.close();
    await two.close();
    expect(two.health()).toEqual({ degraded: expect.stringContaining('closed') });
    two.publish(room('a'), 'group', entriesAfter(1));
    two.signal(room('a'), 'group', typing('ada'));
    two.state({ type: 'connect', userId: 'ada' });
    one.publish(room('a'), 'group', entriesAfter(1));
    const [three] = (await factory.join('three')) as [Wire];
    const later = listen(three);
    one.publish(room('b'), 'group', entriesAfter(1));
    await waitUntil('a third node hears', () => entriesOf(later, room('b')).length === 1);
    expect(goesOn.entries).toHaveLength(1);
  });
}
