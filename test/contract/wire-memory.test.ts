/** The contract of Wire, kept by the memory twin. */
import { describe, expect, it } from 'vitest';
import { type Entry, emptyHead } from '../../system/store/entry.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { entryAfter, room } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';

const a = room('a');
const entry = entryAfter(emptyHead);

describe('the wire in memory', () => {
  it('delivers to the other nodes, not to the publisher, in order, and never inside publish', async () => {
    const hub = createMemoryWireHub();
    const [one, two, three] = [hub.join('n'), hub.join('n'), hub.join('n3')];
    const heard: string[] = [];
    for (const [name, wire] of Object.entries({ one, two, three })) {
      wire.subscribe(
        () => true,
        (of, entries) => heard.push(`${name} ${of} ${entries.length}`),
      );
    }
    one.publish(a, [entry]);
    one.publish(room('b'), [entry, entry]);
    expect(heard).toEqual([]);
    await turns();
    expect(heard.filter((line) => line.startsWith('two'))).toEqual(['two a 1', 'two b 2']);
    expect(heard.filter((line) => line.startsWith('three'))).toEqual(['three a 1', 'three b 2']);
    expect(heard).toHaveLength(4);
  });

  it('asks whether a room is wanted, and skips rooms that are not', async () => {
    const hub = createMemoryWireHub();
    const [one, two] = [hub.join('1'), hub.join('2')];
    const asked: string[] = [];
    const heard: (readonly Entry[])[] = [];
    two.subscribe(
      (of) => {
        asked.push(of);
        return of === a;
      },
      (_room, entries) => heard.push(entries),
    );
    one.publish(room('b'), [entry]);
    one.publish(a, [entry]);
    one.publish(a, []);
    await turns();
    expect(asked).toEqual(['b', 'a']);
    expect(heard).toEqual([[entry]]);
  });

  it('lets a listener publish, without ever running inside another listener', async () => {
    const hub = createMemoryWireHub();
    const [one, two] = [hub.join('1'), hub.join('2')];
    let depth = 0;
    let heard = 0;
    const echo = (wire: typeof one) => () => {
      expect(depth).toBe(0);
      depth += 1;
      heard += 1;
      if (heard < 5) wire.publish(a, [entry]);
      depth -= 1;
    };
    one.subscribe(() => true, echo(one));
    two.subscribe(() => true, echo(two));
    one.publish(a, [entry]);
    await turns();
    expect(heard).toBe(5);
  });

  it('says that it is up, and degraded once it is closed: never down, since nothing depends on it', async () => {
    const wire = createMemoryWireHub().join('one');
    expect(wire.health()).toBe('up');
    await wire.close();
    expect(wire.health()).toEqual({ degraded: expect.stringContaining('closed') });
  });

  it('stops at the end of a subscription and of a wire, and alone hears nothing', async () => {
    const hub = createMemoryWireHub();
    const [one, two] = [hub.join('1'), hub.join('2')];
    let heard = 0;
    const listen = () => {
      heard += 1;
    };
    const end = two.subscribe(() => true, listen);
    one.publish(a, [entry]);
    end();
    end();
    await turns();
    expect(heard).toBe(0);
    two.subscribe(() => true, listen);
    one.publish(a, [entry]);
    await turns();
    expect(heard).toBe(1);
    await two.close();
    one.publish(a, [entry]);
    two.publish(a, [entry]);
    one.subscribe(() => true, listen);
    await turns();
    expect(heard).toBe(1);
    const alone = createMemoryWireHub().join('alone');
    alone.subscribe(() => true, listen);
    alone.publish(a, [entry]);
    await turns();
    expect(heard).toBe(1);
    await alone.close();
    await one.close();
  });
});
