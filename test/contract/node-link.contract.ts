/**
 * The contract of NodeLink, for every twin.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NodeLink, questionBytesMax, questionsMax } from '../../system/cluster/node-link.ts';
import type { Incarnation } from '../../system/ids.ts';
import { waitUntil } from '../support/store-processes.ts';

export interface NodeLinkStage {
  join(incarnation: Incarnation): Promise<NodeLink>;
  close(): Promise<void>;
}

const [one, two, three] = ['one.a', 'two.b', 'three.c'] as unknown as [Incarnation, Incarnation, Incarnation];

export const asked = (link: NodeLink, to: Incarnation, question: string): Promise<string | undefined | 'not sent'> =>
  new Promise((resolve) => {
    if (!link.ask(to, question, resolve)) resolve('not sent');
  });

export function nodeLinkContract(open: () => Promise<NodeLinkStage>): void {
  describe('keeps the contract of NodeLink', () => {
    let stage: NodeLinkStage;
    beforeEach(async () => {
      stage = await open();
    });
    afterEach(() => stage.close());

    it('gives a question to the node it is for, with the asker, and the answer to the asker', async () => {
      const [a, b, c] = [await stage.join(one), await stage.join(two), await stage.join(three)];
      b.listen((from, question, answer) => answer(`b heard ${question} of ${from}`));
      c.listen((from, question, answer) => answer(`c heard ${question} of ${from}`));
      expect(a.isLinked(two)).toBe(true);
      expect(await asked(a, two, 'x')).toBe('b heard x of one.a');
      expect(await asked(b, three, 'y')).toBe('c heard y of two.b');
      expect(await asked(a, three, 'é "\\ 😀')).toBe('c heard é "\\ 😀 of one.a');
    });

    it('keeps the order of questions, and tells answers apart that come in any order', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      const heard: string[] = [];
      const answers: (() => void)[] = [];
      b.listen((_, question, answer) => {
        heard.push(question);
        answers.push(() => answer(`to ${question}`));
      });
      const wanted = Array.from({ length: 20 }, (_, index) => String(index));
      const all = Promise.all(wanted.map((question) => asked(a, two, question)));
      await waitUntil('all are heard', () => answers.length === 20);
      for (const answer of answers.reverse()) answer();
      expect(await all).toEqual(wanted.map((question) => `to ${question}`));
      expect(heard).toEqual(wanted);
    });

    it('goes both ways at once', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      a.listen((_, question, answer) => answer(`a ${question}`));
      b.listen((_, question, answer) => answer(`b ${question}`));
      expect(await Promise.all([asked(a, two, '1'), asked(b, one, '2'), asked(a, two, '3')])).toEqual(['b 1', 'a 2', 'b 3']);
    });

    it('does not send to a node that is not there, nor to itself', async () => {
      const a = await stage.join(one);
      for (const nobody of [two, one]) {
        expect(a.isLinked(nobody)).toBe(false);
        expect(await asked(a, nobody, 'x')).toBe('not sent');
      }
    });

    it('says that there will be no answer where nobody listens, or it is not taken', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      expect(await asked(a, two, 'x')).toBeUndefined();
      b.listen((_, _question, answer) => answer(undefined));
      expect(await asked(a, two, 'x')).toBeUndefined();
    });

    it('takes the first answer of several', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      b.listen((_, question, answer) => {
        answer(`first ${question}`);
        answer('second');
      });
      expect(await asked(a, two, 'x')).toBe('first x');
      expect(await asked(a, two, 'y')).toBe('first y');
    });

    it('tells those who wait when the other node goes, and does not send from then on', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      let heard = 0;
      b.listen(() => {
        heard += 1;
      });
      const waiting = [asked(a, two, 'x'), asked(a, two, 'y')];
      await waitUntil('both are heard', () => heard === 2);
      expect(a.counts().waiting).toBe(2);
      await b.close();
      expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
      expect(a.counts().waiting).toBe(0);
      await waitUntil('it is not linked', () => !a.isLinked(two));
      expect(await asked(a, two, 'z')).toBe('not sent');
    });

    it('sends nothing after it was closed, and closing twice is harmless', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      b.listen((_, question, answer) => answer(question));
      const waiting = asked(a, two, 'x');
      await a.close();
      await a.close();
      expect([undefined, 'x']).toContain(await waiting);
      expect(a.isLinked(two)).toBe(false);
      expect(await asked(a, two, 'x')).toBe('not sent');
    });

    it('has a bound for questions that wait, and for the length of one', async () => {
      const [a, b] = [await stage.join(one), await stage.join(two)];
      const answers: (() => void)[] = [];
      b.listen((_, question, answer) => void answers.push(() => answer(`${question.length}`)));
      const long = asked(a, two, 'l'.repeat(questionBytesMax));
      expect(await asked(a, two, 'l'.repeat(questionBytesMax + 1))).toBe('not sent');
      const rest = Array.from({ length: questionsMax - 1 }, () => asked(a, two, 'x'));
      expect(await asked(a, two, 'one too many')).toBe('not sent');
      await waitUntil('all are heard', () => answers.length === questionsMax);
      for (const answer of answers) answer();
      expect(await long).toBe(`${questionBytesMax}`);
      expect(new Set(await Promise.all(rest))).toEqual(new Set(['1']));
      b.listen((_, question, answer) => answer(question));
      expect(await asked(a, two, 'room again')).toBe('room again');
    });
  });
}
