/** The contract of NodeLink, kept by the memory twin. */
import { describe, expect, it } from 'vitest';
import { createMemoryNodeLinkHub } from '../../system/cluster/node-link-memory.ts';
import type { Incarnation } from '../../system/ids.ts';
import { asked, nodeLinkContract } from './node-link.contract.ts';

const [one, two] = ['one.a', 'two.b'] as unknown as [Incarnation, Incarnation];

describe('the node link in memory', () => {
  nodeLinkContract(async () => {
    const hub = createMemoryNodeLinkHub();
    return { join: async (incarnation) => hub.join(incarnation), close: async () => {} };
  });

  it('cuts a node off, and mutes one, for tests', async () => {
    const hub = createMemoryNodeLinkHub();
    const [a, b] = [hub.join(one), hub.join(two)];
    b.listen((_, question, answer) => answer(question));
    hub.mute(two, true);
    const inVain = asked(a, two, 'x');
    await Promise.resolve();
    expect(a.isLinked(two)).toBe(true);
    expect(a.counts().waiting).toBe(1);
    hub.cut(two);
    expect(await inVain).toBeUndefined();
    expect(a.isLinked(two)).toBe(false);
    expect(await asked(b, one, 'x')).toBe('not sent');
  });
});
