/**
 * NodeLink in memory: a hub that the nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: as the contract says; questions and answers each take a turn of their own. `cut` and `mute` are for tests: a node that is cut
 * off is not linked any more, a mute one takes questions and never answers.
 */
import type { Incarnation } from '../ids.ts';
import { type NodeAnswerer, type NodeLink, questionBytesMax, questionsMax } from './node-link.ts';

interface Member {
  answerer: NodeAnswerer | undefined;
  isMute: boolean;
  /** What others asked it and wait for. */
  readonly waiting: Map<number, { readonly from: Incarnation; readonly end: (answer: string | undefined) => void }>;
}

export interface MemoryNodeLinkHub {
  join(self: Incarnation): NodeLink;
  /** The node's links end, as if its cable were cut. */
  cut(node: Incarnation): void;
  /** The node accepts and never answers, until `isMute` is false. */
  mute(node: Incarnation, isMute: boolean): void;
}

export function createMemoryNodeLinkHub(): MemoryNodeLinkHub {
  const members = new Map<Incarnation, Member>();
  let ids = 0;
  const countWaiting = (from: Incarnation): number => {
    let count = 0;
    for (const { waiting } of members.values()) for (const each of waiting.values()) if (each.from === from) count += 1;
    return count;
  };
  const leave = (self: Incarnation): void => {
    const gone = members.get(self);
    members.delete(self);
    for (const { end } of gone?.waiting.values() ?? []) end(undefined);
    for (const { waiting } of members.values()) for (const each of [...waiting.values()]) if (each.from === self) each.end(undefined);
  };
  return {
    cut: leave,
    mute(node, isMute) {
      const member = members.get(node);
      if (member) member.isMute = isMute;
    },
    join(self) {
      const me: Member = { answerer: undefined, isMute: false, waiting: new Map() };
      members.set(self, me);
      return {
        description: 'this process only',
        isLinked: (to) => to !== self && members.get(self) === me && members.has(to),
        ask(to, question, onAnswer) {
          const other = members.get(to);
          if (!other || other === me || members.get(self) !== me) return false;
          if (Buffer.byteLength(question) > questionBytesMax || other.waiting.size >= questionsMax) return false;
          ids += 1;
          const id = ids;
          const end = (answer: string | undefined): void => {
            if (!other.waiting.delete(id)) return;
            queueMicrotask(() => onAnswer(answer));
          };
          other.waiting.set(id, { from: self, end });
          queueMicrotask(() => {
            if (other.isMute || !other.waiting.has(id)) return;
            if (other.answerer) other.answerer(self, question, end);
            else end(undefined);
          });
          return true;
        },
        listen(answerer) {
          me.answerer = answerer;
        },
        counts: () => ({ links: members.get(self) === me ? members.size - 1 : 0, accepted: 0, waiting: countWaiting(self) }),
        async close() {
          if (members.get(self) === me) leave(self);
        },
      };
    },
  };
}
