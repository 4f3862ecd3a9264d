/**
 * The verdict of a replay: clean for a clean run, and never for one that is not; then a whole replay against a stub node,
 * honest, killed in the middle, and lying.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemTiming } from '../../gateway/client/timing.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';
import { Player } from '../replay/player.ts';
import { Pool } from '../replay/pool.ts';
import { Stats } from '../replay/stats.ts';
import { StubNode } from '../replay/stub-node.ts';
import { parseTranscript } from '../replay/transcript.ts';
import { type Deed, digestOf, judgeRoom, type RoomRecord, type SendDeed, type Stay } from '../replay/verdict.ts';

type Draft = Pick<WireEntry, 'kind' | 'by' | 'cid'> & Partial<WireEntry>;
interface Editable {
  log: WireEntry[];
  deeds: { alice: Deed[]; bob: Deed[] };
  stays: { alice: Stay; bob: Stay };
}

/** alice makes the room, bob joins, they talk, bob leaves, a reader comes. */
function cleanRun(): Editable {
  let n = 0;
  const log = (
    [
      { kind: 'room', by: 'alice', cid: 'sys:1', room: { kind: 'group', public: true, members: [{ user: 'alice', role: 'owner' }] } },
      { kind: 'message', by: 'alice', cid: 'a1', text: 'hello' },
      { kind: 'member', by: 'bob', cid: 'sys:2', member: { user: 'bob', change: 'joined', role: 'member' } },
      { kind: 'message', by: 'bob', cid: 'b1', text: 'hi' },
      { kind: 'reply', by: 'alice', cid: 'a2', text: 'hi yourself', replyTo: 4 },
      { kind: 'message', by: 'bob', cid: 'b2', text: 'bye' },
      { kind: 'member', by: 'bob', cid: 'sys:3', member: { user: 'bob', change: 'left' } },
      { kind: 'member', by: 'reader', cid: 'sys:4', member: { user: 'reader', change: 'joined', role: 'member' } },
    ] satisfies Draft[]
  ).map((draft: Draft, index): WireEntry => {
    if (draft.kind === 'message' || draft.kind === 'reply') n += 1;
    return { ...draft, seq: index + 1, n, at: 1_000 + index };
  });
  const screen = (from: number, to: number, end: Stay['end']): Stay => {
    const part = log.slice(from, to);
    return { since: from, seqs: part.map(({ seq }) => seq), digests: part.map(digestOf), jumps: [], end };
  };
  return {
    log,
    deeds: {
      alice: [
        { type: 'create' },
        { type: 'send', cid: 'a1', text: 'hello', knownSeq: 1, seq: 2 },
        { type: 'send', cid: 'a2', text: 'hi yourself', replyTo: 4, knownSeq: 4, seq: 5 },
      ],
      bob: [
        { type: 'join' },
        { type: 'send', cid: 'b1', text: 'hi', knownSeq: 3, seq: 4 },
        { type: 'send', cid: 'b2', text: 'bye', knownSeq: 5, seq: 6 },
        { type: 'leave' },
      ],
    },
    stays: { alice: screen(0, 8, 'open'), bob: screen(2, 7, 'left') },
  };
}

function judged(edit: (run: Editable) => void = () => {}): string[] {
  const run = cleanRun();
  edit(run);
  const record: RoomRecord = {
    room: 'r',
    log: run.log,
    isRaw: true,
    readers: ['reader'],
    people: (['alice', 'bob'] as const).map((user) => {
      return { user, deeds: run.deeds[user], stays: [run.stays[user]], isConnected: user === 'alice', complaints: [] };
    }),
  };
  return judgeRoom(record).violations.map(({ what, seq, user }) => `${user ?? ''}#${seq ?? ''} ${what}`);
}

const swap = <Item>(list: Item[], index: number): void => {
  const [a, b] = list.slice(index, index + 2) as [Item, Item];
  list.splice(index, 2, b, a);
};
const send = (run: Editable, user: 'alice' | 'bob', cid: string): SendDeed =>
  run.deeds[user].find((deed): deed is SendDeed => deed.type === 'send' && deed.cid === cid) as SendDeed;
const change = (run: Editable, seq: number, fields: Partial<WireEntry>): void => {
  run.log[seq - 1] = { ...(run.log[seq - 1] as WireEntry), ...fields };
};

describe('verdict', () => {
  it('is clean for a clean run, and counts it', () => {
    expect(judged()).toEqual([]);
  });

  it.each<[string, (run: Editable) => void, RegExp]>([
    ['an entry lost in the log', ({ log }) => log.splice(3, 1), /lost: acknowledged|the log has #5 where #4/],
    ['the last message lost in the log', ({ log }) => log.splice(5, 3), /lost: acknowledged, but not in the log/],
    ['an entry doubled in the log', ({ log }) => log.push({ ...(log[3] as WireEntry), seq: 9, n: 5 }), /doubled in the log/],
    ['two entries swapped in the log', ({ log }) => swap(log, 3), /the log has #5 where #4/],
    ['a text altered in the log', (run) => change(run, 4, { text: 'hj' }), /altered: the log has another text/],
    ['an answer to another message', (run) => change(run, 5, { replyTo: 2 }), /altered: answers #2, not #4/],
    ['an invented message of a known person', ({ log }) => log.push({ ...(log[1] as WireEntry), seq: 9, n: 5, cid: 'zz' }), /never sent/],
    [
      'a message of a stranger',
      ({ log }) => log.push({ ...(log[1] as WireEntry), seq: 9, n: 5, by: 'eve', cid: 'e1' }),
      /by somebody who sent nothing/,
    ],
    ['a message by a mere reader', (run) => change(run, 8, { kind: 'message', n: 5, text: 'x' }), /by somebody who sent nothing/],
    ['a wrong count of messages', (run) => change(run, 6, { n: 5 }), /counts 5 messages, there are 4/],
    [
      'a join that is not in the log',
      (run) => change(run, 3, { member: { user: 'bob', change: 'invited' } }),
      /sender's order is not kept/,
    ],
    [
      "a sender's messages in another order",
      (run) => run.deeds.bob.splice(1, 2, send(run, 'bob', 'b2'), send(run, 'bob', 'b1')),
      /sender's order/,
    ],
    ['a number that was known before the sending', (run) => Object.assign(send(run, 'bob', 'b2'), { knownSeq: 6 }), /out of time/],
    ['an acknowledgement with another number', (run) => Object.assign(send(run, 'bob', 'b2'), { seq: 7 }), /lost: acknowledged, but not/],
    ['a send without acknowledgement', (run) => delete send(run, 'bob', 'b2').seq, /never acknowledged/],
    ['a refused send', (run) => Object.assign(send(run, 'bob', 'b2'), { failure: 'FORBIDDEN' }), /refused: FORBIDDEN/],
    [
      'a refused send that is stored nevertheless',
      (run) => Object.assign(send(run, 'bob', 'b2'), { failure: 'X' }),
      /in the log, but never sent/,
    ],
  ])('is not clean for %s', (_, edit, expected) => {
    expect(judged(edit).join('\n')).toMatch(expected);
  });

  const drop = (stay: Stay, index: number, count = 1): void => {
    stay.seqs.splice(index, count);
    stay.digests.splice(index, count);
  };
  it.each<[string, (stay: Stay) => void, RegExp]>([
    ['one entry lost', (stay) => drop(stay, 3), /lost on the screen: #4 to #4/],
    ['the first entry lost', (stay) => drop(stay, 0), /lost on the screen: #1 to #1/],
    ['the last entry lost', (stay) => drop(stay, 7), /the screen ends at #7, the log at #8/],
    ['an entry doubled', (stay) => (stay.seqs.splice(3, 0, 3), stay.digests.splice(3, 0, stay.digests[2] ?? 0)), /twice, or out of order/],
    ['two entries swapped', (stay) => (swap(stay.seqs, 3), swap(stay.digests, 3)), /out of order/],
    [
      'an altered entry',
      (stay) => stay.digests.splice(3, 1, digestOf({ seq: 4, n: 2, kind: 'message', by: 'bob', at: 1_003, cid: 'b1', text: 'HI' })),
      /altered: the screen/,
    ],
    ['an entry that was rolled back', (stay) => (stay.seqs.push(9), stay.digests.push(1)), /not in the log/],
    ['entries skipped without the word snapshot', (stay) => drop(stay, 2, 3), /lost on the screen: #3 to #5/],
    [
      'a snapshot that leaves a hole behind it',
      (stay) => (drop(stay, 2, 3), stay.jumps.push({ index: 2, upTo: 4 })),
      /lost on the screen: #5 to #5/,
    ],
  ])('is not clean for a screen with %s', (_, edit, expected) => {
    expect(judged(({ stays }) => edit(stays.alice)).join('\n')).toMatch(expected);
  });

  it('allows a jump by the word snapshot, up to where it said', () => {
    expect(
      judged(({ stays: { alice } }) => {
        drop(alice, 2, 3);
        alice.jumps.push({ index: 2, upTo: 5 });
      }),
    ).toEqual([]);
  });

  it('wants a leaver to see the leaving, unless the way back was denied', () => {
    expect(judged(({ stays }) => drop(stays.bob, 4)).join()).toMatch(/before the leaving/);
    const denied = ({ stays }: Editable): void => {
      drop(stays.bob, 4);
      stays.bob.end = 'denied';
    };
    expect(judged(denied)).toEqual([]);
  });

  it('does not depend on the order of keys in an entry', () => {
    const { log } = cleanRun();
    const entry = log[2] as WireEntry;
    const other = {
      ...Object.fromEntries(Object.entries(entry).reverse()),
      member: { role: 'member', change: 'joined', user: 'bob' },
    } as unknown as WireEntry;
    expect(digestOf(other)).toBe(digestOf(entry));
  });
});

describe('a replay', () => {
  const node = new StubNode();
  beforeEach(async () => {
    node.logs.clear();
    await node.start();
  });
  afterEach(async () => {
    delete node.faults.deliver;
    await node.stop();
  });

  const people = ['|a|', 'b', 'c_', 'd^'];
  const lines = Array.from({ length: 240 }, (_, index): object => {
    const user = people[(index * 7) % people.length];
    if (index % 40 === 20) return { t: index, user, kind: 'leave' };
    if (index % 40 === 31) return { t: index, user, kind: 'join' };
    if (index % 5 === 4) return { t: index, user, kind: 'reply', text: `r${index}`, replyTo: index - 3 };
    return { t: index, user, kind: 'message', text: `m${index}` };
  });
  const renamed = [
    ...lines,
    { t: 240, user: 'b', kind: 'nick', to: 'b2' },
    { t: 241, user: 'b2', kind: 'message', text: 'same client' },
    { t: 242, user: 'b', kind: 'message', text: 'another' },
  ];

  async function play(atLine: (line: number) => Promise<void> | undefined = () => undefined, sockets = 20) {
    const stats = new Stats(systemTiming);
    let line = 0;
    const player = new Player({
      transcript: parseTranscript('talk', renamed.map((each) => JSON.stringify(each)).join('\n')),
      room: 'talk-1',
      suffix: '_r1',
      connectAs: (user) => ({ url: node.url, token: user }),
      pool: new Pool(sockets),
      stats,
      timing: systemTiming,
      stop: new AbortController().signal,
      turn: async () => {
        line += 1;
        await atLine(line);
      },
      place: async () => () => {},
    });
    const { verdict } = await player.play();
    return { verdict, stats };
  }

  it('is clean on an honest node, and nicks keep their client', async () => {
    const { verdict, stats } = await play();
    expect(verdict.violations).toEqual([]);
    expect(verdict.acked).toBe(stats.sent);
    const by = (text: string) => node.log('talk-1').find((entry) => entry.text === text)?.by;
    expect(by('same client')).toBe('b_r1');
    expect(by('another')).toBe('b_g1_r1');
    expect(by('m0')).toBe('_7ca_7c_r1');
  });

  it('is clean when the node is killed and restarted in the middle, and says how long the way back took', async () => {
    const { verdict, stats } = await play(async (line) => {
      if (line !== 120) return;
      await node.stop();
      systemTiming.after(150, () => void node.start());
    });
    expect(verdict.violations).toEqual([]);
    expect(stats.reconnects).toBeGreaterThan(0);
    expect(stats.outages).toBe(1);
    expect(stats.awayCount).toBe(0);
  }, 20_000);

  it('is clean with fewer sockets than people: the least recently needed go, and resume', async () => {
    const { verdict, stats } = await play(undefined, 4);
    expect(verdict.violations).toEqual([]);
    expect(stats.evictions).toBeGreaterThan(0);
  });

  it.each<[string, (entries: readonly WireEntry[]) => readonly WireEntry[], RegExp]>([
    ['loses one entry on one screen', (entries) => entries.filter(({ seq }) => seq !== 60), /hole: #61 came where #60/],
    ['doubles one', (entries) => entries.flatMap((entry) => (entry.seq === 60 ? [entry, entry] : [entry])), /repeat: #60/],
    ['alters one', (entries) => entries.map((entry) => (entry.seq === 60 ? { ...entry, text: 'forged' } : entry)), /altered: the screen/],
  ])('is not clean on a node that %s', async (_, deliver, expected) => {
    node.faults.deliver = (entries, user) => (user === 'c__5f_r1' || user === 'c_5f_r1' ? deliver(entries) : entries);
    const { verdict } = await play();
    expect(verdict.violations.map(({ what }) => what).join('\n')).toMatch(expected);
  });
});
