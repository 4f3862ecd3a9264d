/** The contract of Wire, kept by the memory twin; and what only that one promises. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Wire } from '../../system/wire/wire.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { room } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';
import { entriesAfter, listen, wireContract } from './wire.contract.ts';

describe('the wire in memory', () => {
  let hub = createMemoryWireHub();
  afterEach(() => {
    hub = createMemoryWireHub();
  });
  wireContract({ join: async (...nodes) => nodes.map((node) => hub.join(node)) });

  it('delivers in order, in a later microtask, to nodes of one name too; a node alone hears nothing', async () => {
    const [one, two] = [hub.join('n'), hub.join('n')] as [Wire, Wire];
    const alone = listen(createMemoryWireHub().join('n'));
    const [own, other] = [listen(one), listen(two)];
    one.publish(room('a'), 'group', entriesAfter(1));
    one.publish(room('b'), 'group', entriesAfter(2));
    expect(other.entries).toEqual([]);
    await turns();
    expect(other.entries.map(({ room: of, entries }) => `${of} ${entries.length}`)).toEqual(['a 1', 'b 2']);
    expect([own.entries, alone.entries]).toEqual([[], []]);
  });
});
