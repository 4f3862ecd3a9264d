/**
 * Forwards as text between nodes: what reads exactly as one reaches a room, nothing else does; and what a room's actor makes of a link.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { NodeForwards } from '../../actors/node-forwards.ts';
import type { WriteCommand } from '../../actors/room-fold.ts';
import type { ForwardResults } from '../../actors/room-protocol.ts';
import type { NodeAnswerer, NodeLink } from '../../system/cluster/node-link.ts';
import type { Cid, FileId, RoomId, UserId } from '../../system/ids.ts';
import { create, send, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);

const lobby = 'lobby' as RoomId;
const alice = 'alice' as UserId;
const said = (cid: string, text = cid): WriteCommand => ({ by: alice, name: 'Alice', cid: cid as Cid, write: { type: 'send', text } });

/** A link whose other end is the test. */
function openLink() {
  let answerer: NodeAnswerer | undefined;
  const asked: { readonly to: string; readonly question: string; readonly onAnswer: (answer: string | undefined) => void }[] = [];
  const state = { isLinked: true, isFull: false };
  const link: NodeLink = {
    description: 'test',
    isLinked: (to) => state.isLinked && to === 'other',
    ask(to, question, onAnswer) {
      if (!state.isFull) asked.push({ to, question, onAnswer });
      return !state.isFull;
    },
    listen: (given) => void (answerer = given),
    counts: () => ({ links: 0, accepted: 0, waiting: 0 }),
    close: async () => {},
  };
  const hear = (question: string): { answers: (string | undefined)[] } => {
    const heard: { answers: (string | undefined)[] } = { answers: [] };
    answerer?.('other' as never, question, (answer) => void heard.answers.push(answer));
    return heard;
  };
  return { link, asked, state, hear };
}

describe('a forward', () => {
  const effect = (commands: readonly WriteCommand[]) => ({ type: 'forward', id: 1, to: 'other', commands, controlSeq: 7 }) as const;

  it('reaches the other room as it left, whatever it asks for', () => {
    const there = openLink();
    const taken: unknown[] = [];
    new NodeForwards(there.link).serve((room, { commands, controlSeq }) => {
      taken.push({ room, commands, controlSeq });
      return true;
    });
    const file = { id: 'f1' as FileId, name: 'a.png', type: 'image/png', bytes: 3, sha256: 'x' };
    const commands: WriteCommand[] = [
      said('a', 'é "\\ \ud800 \u0000 😀\r\n'),
      { by: alice, cid: 'sys:node.x:1' as Cid, write: { type: 'join', listed: 'community' } },
      { by: alice, cid: 'b' as Cid, write: { type: 'leave' } },
      { by: alice, cid: 'c' as Cid, write: { type: 'invite', user: 'bob' as UserId } },
      { by: alice, cid: 'd' as Cid, write: { type: 'kick', user: 'bob' as UserId } },
      { by: alice, cid: 'e' as Cid, write: { type: 'send', text: '', replyTo: 3 } },
      { by: alice, cid: 'f' as Cid, write: { type: 'file', file, replyTo: 3 } },
      { by: alice, cid: 'g' as Cid, write: { type: 'modify', target: 3, text: 'x' } },
      { by: alice, cid: 'h' as Cid, write: { type: 'delete', target: 3 } },
      { by: alice, cid: 'i' as Cid, write: { type: 'react', target: 3, emoji: '👍', on: true } },
    ];
    const here = openLink();
    expect(new NodeForwards(here.link).forward(lobby, effect(commands), () => {})).toBe(true);
    there.hear(here.asked[0]?.question as string);
    expect(taken).toEqual([{ room: lobby, commands, controlSeq: 7 }]);
  });

  const good = { v: 1, room: 'lobby', controlSeq: 1, commands: [{ by: 'alice', cid: 'a', write: { type: 'send', text: 'x' } }] };
  const one = (change: object) => ({ ...good, commands: [{ ...good.commands[0], ...change }] });
  it.each<readonly [string, unknown]>([
    ['no JSON', '{'],
    ['another version', { ...good, v: 2 }],
    ['no room', { ...good, room: '../x' }],
    ['no commands', { ...good, commands: [] }],
    ['a key too many', { ...good, admin: true }],
    ['a sender that is none', one({ by: 'a b' })],
    ['a cid that is none', one({ cid: 'a\nb' })],
    ['no such write', one({ write: { type: 'create', facts: {} } })],
    ['a text that is none', one({ write: { type: 'send', text: 5 } })],
    ['a target that is none', one({ write: { type: 'delete', target: -1 } })],
    [
      '__proto__',
      '{"v":1,"room":"lobby","controlSeq":1,"commands":[{"by":"alice","cid":"a","write":{"type":"send","text":"x","__proto__":{}}}]}',
    ],
  ])('that is %s reaches no room, and is answered so', (_name, question) => {
    const { link, hear } = openLink();
    const taken: unknown[] = [];
    new NodeForwards(link).serve((room) => taken.push(room) > 0);
    expect(hear(typeof question === 'string' ? question : JSON.stringify(question)).answers).toEqual([undefined]);
    expect(taken).toEqual([]);
  });

  it('that no room takes is answered so', () => {
    const { link, hear } = openLink();
    new NodeForwards(link).serve(() => false);
    expect(hear(JSON.stringify(good)).answers).toEqual([undefined]);
  });

  it.each<readonly [string, string | undefined, ForwardResults | undefined]>([
    ['places', '{"v":1,"results":[[5,4,9,true],null]}', [{ seq: 5, n: 4, at: 9, dup: true }, undefined]],
    ['nothing', undefined, undefined],
    ['no JSON', 'x', undefined],
    ['fewer than were asked', '{"v":1,"results":[[5,4,9,true]]}', undefined],
    ['a place that is none', '{"v":1,"results":[[0,0,9,true],null]}', undefined],
    ['a place of text', '{"v":1,"results":[["5",4,9,true],null]}', undefined],
    ['a key too many', '{"v":1,"ok":true,"results":[null,null]}', undefined],
  ])('whose answer says %s', (_name, answer, wanted) => {
    const { link, asked } = openLink();
    const done: unknown[] = [];
    new NodeForwards(link).forward(lobby, effect([said('a'), said('b')]), (results) => done.push(results));
    asked[0]?.onAnswer(answer);
    expect(done).toEqual([wanted]);
  });
});

describe('a room', () => {
  async function stageWith(link: NodeLink) {
    const forwards = new NodeForwards(link);
    const on = startStage({ settings: { sharedLog: true, writer: 'me', canForward: forwards.canForward.bind(forwards) }, forwards });
    const person = on.connect('alice');
    await person.done(create('lobby'));
    forwards.serve((room, forwarded) => on.rooms.send(room, { type: 'room.forwarded', ...forwarded }) === undefined);
    const theirs = { seq: 2, n: 1, kind: 'message', by: alice, at: 0, cid: 't' as Cid, writer: 'other', text: 't' } as const;
    await on.store.log.append(lobby, 1, [theirs]);
    on.rooms.onEntries(lobby, [theirs]);
    await turns(3);
    return { on, person };
  }

  it('acknowledges what the other node has stored, and appends nothing', async () => {
    const { link, asked } = openLink();
    const { on, person } = await stageWith(link);
    const answer = person.done(send('lobby', 'a', 'hello'));
    await turns(5);
    expect(asked.map(({ to }) => to)).toEqual(['other']);
    asked[0]?.onAnswer('{"v":1,"results":[[3,2,77,false]]}');
    expect(await answer).toMatchObject({ seq: 3, at: 77, dup: false });
    expect(await on.store.log.read(lobby, { after: 2, limit: 9 })).toEqual([]);
  });

  it('appends by itself when the link takes nothing', async () => {
    const { link, state } = openLink();
    const { person } = await stageWith(link);
    state.isFull = true;
    expect(await person.done(send('lobby', 'a', 'hello'))).toMatchObject({ seq: 3 });
  });

  it('stores what another node forwards, and answers with the place', async () => {
    const { link, hear } = openLink();
    const { on } = await stageWith(link);
    const question = { v: 1, room: 'lobby', controlSeq: 1, commands: [said('x'), said('y')] };
    const heard = hear(JSON.stringify(question));
    for (let turn = 0; turn < 50 && heard.answers.length === 0; turn += 1) await turns(1);
    expect(JSON.parse(heard.answers[0] as string)).toMatchObject({
      results: [
        [3, 2, expect.any(Number), false],
        [4, 3, expect.any(Number), false],
      ],
    });
    expect((await on.store.log.read(lobby, { after: 2, limit: 9 })).map(({ cid, writer }) => `${cid} ${writer}`)).toEqual(['x me', 'y me']);
  });

  it('that ends answers whoever forwarded to it that nothing is known', async () => {
    const { link, hear } = openLink();
    const { on } = await stageWith(link);
    const answered = { v: 1, room: 'lobby', controlSeq: 1, commands: [said('x')] };
    const before = hear(JSON.stringify(answered));
    const stopping = on.stop();
    const meanwhile = hear(JSON.stringify(answered));
    await stopping;
    const after = hear(JSON.stringify(answered));
    expect([before, meanwhile, after].map(({ answers }) => answers.length)).toEqual([1, 1, 1]);
    expect(after.answers).toEqual([undefined]);
  });

  it('takes over when the other node does not answer', async () => {
    const { link, asked } = openLink();
    const { on, person } = await stageWith(link);
    const answer = person.done(send('lobby', 'a', 'hello'));
    await turns(5);
    expect(asked).toHaveLength(1);
    on.clock.advance(251);
    expect(await answer).toMatchObject({ seq: 3, dup: false });
  });
});
