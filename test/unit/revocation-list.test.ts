/**
 * A node's view of what was revoked: when it is in force, what a store that fails does, what is let go.
 */
import { describe, expect, it } from 'vitest';
import { RevocationList, withRevocations } from '../../gateway/revocation-list.ts';
import { isRefusal } from '../../gateway/session-port.ts';
import { createTokenVerifier } from '../../gateway/token.ts';
import type { RevocationPush } from '../../system/cluster/revocation-push.ts';
import { Fault } from '../../system/errors.ts';
import type { UserId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import type { Revocation, Revocations } from '../../system/store/revocations.ts';
import { MemoryRevocations } from '../../system/store/revocations-memory.ts';
import { tokenOf, tokens } from '../support/gateway-fixtures.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const ada = { userId: 'ada' as UserId, jti: 'j1' };
const of = { user: ada.userId };

async function setUp(store: Revocations = new MemoryRevocations(), push?: RevocationPush) {
  const clock = manualClock();
  const lines: string[] = [];
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  let isFailing = false;
  let reads = 0;
  const behind: Revocations = {
    add: (revocation) => store.add(revocation),
    read: (cursor) => {
      reads += 1;
      return isFailing ? Promise.reject(new Fault('STORE_UNAVAILABLE', 'the disk')) : store.read(cursor);
    },
  };
  const list = new RevocationList({ store: behind, clock, log, push, tokenLifetimeMaxMs: 3_600_000 });
  const heard: Revocation[] = [];
  list.onRevoked((revocation) => heard.push(revocation));
  return {
    list,
    store,
    clock,
    heard,
    lines,
    reads: () => reads,
    fail: (failing: boolean) => {
      isFailing = failing;
    },
    pass: async (ms: number) => {
      for (let left = ms; left > 0; left -= 1_000) {
        clock.advance(Math.min(left, 1_000));
        await turns(2);
      }
    },
  };
}

describe('a list of revocations', () => {
  it('knows from the start what the store holds, and tells', async () => {
    const store = new MemoryRevocations();
    await store.add({ of, atMs: 5, endsAtMs: 1e15 });
    const { list, heard } = await setUp(store);
    expect(list.refusalOf(ada)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    await list.start();
    expect(list.refusalOf(ada)).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
    expect(heard).toHaveLength(1);
    list.stop();
  });

  it('has in force at once what it revokes, and after a second what another node revokes; each is told once', async () => {
    const on = await setUp();
    await on.list.start();
    const revoked = on.list.revoke(of);
    expect(on.list.isRevoked(ada)).toBe(true);
    await revoked;
    await on.store.add({ of: { jti: 'j2' }, atMs: on.clock.wallMs(), endsAtMs: on.clock.wallMs() + 9_000_000 });
    expect(on.list.isRevoked({ userId: 'bob' as UserId, jti: 'j2' })).toBe(false);
    await on.pass(1_000);
    expect(on.list.isRevoked({ userId: 'bob' as UserId, jti: 'j2' })).toBe(true);
    await on.pass(5_000);
    expect(on.heard.map(({ of: told }) => told)).toEqual([of, { jti: 'j2' }]);
    on.list.hear(on.heard[0] as Revocation);
    expect(on.heard).toHaveLength(2);
    on.clock.advance(10);
    await on.list.revoke(of);
    expect(on.heard).toHaveLength(3);
    on.list.stop();
  });

  it('tells the others though one listener throws', async () => {
    const on = await setUp();
    await on.list.start();
    on.list.onRevoked(() => {
      throw new Error('a bug');
    });
    let told = 0;
    on.list.onRevoked(() => {
      told += 1;
    });
    await on.list.revoke(of);
    expect(told).toBe(1);
    expect(on.lines.join()).toContain('gateway.bug');
    on.list.stop();
  });

  it('goes on for 60 s when the store fails, then lets nobody in, and everybody again when the store is back', async () => {
    const on = await setUp();
    await on.list.start();
    await on.list.revoke({ jti: 'gone' });
    on.fail(true);
    await on.pass(60_000);
    expect(on.list.refusalOf(ada)).toBeUndefined();
    expect(on.list.refusalOf({ ...ada, jti: 'gone' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    await on.pass(1_000);
    expect(on.list.refusalOf(ada)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, retryAfterMs: 5_000 });
    expect(on.list.refusalOf({ ...ada, jti: 'gone' })).toMatchObject({ code: 'UNAUTHENTICATED' });
    on.fail(false);
    await on.pass(1_000);
    expect(on.list.refusalOf(ada)).toBeUndefined();
    expect(on.lines.filter((line) => line.includes('revocations.'))).toHaveLength(2);
    on.list.stop();
  });

  it('counts a read that never comes back as a store that fails', async () => {
    const on = await setUp({
      add: async () => {},
      read: (cursor) => (cursor === undefined ? Promise.resolve({ revocations: [], cursor: '1' }) : new Promise(() => {})),
    });
    await on.list.start();
    await on.pass(62_000);
    expect(on.list.refusalOf(ada)).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(on.reads()).toBe(2);
    on.list.stop();
  });

  it('lets go of what has ended, a minute after the longest token it speaks of', async () => {
    const on = await setUp();
    await on.list.start();
    await on.list.revoke(of);
    await on.list.revoke({ everybody: true });
    on.clock.advance(3_600_000 + 59_000);
    await turns(2);
    expect(on.list.isRevoked(ada)).toBe(true);
    await on.pass(62_000);
    expect(on.list.isRevoked(ada)).toBe(false);
    on.list.stop();
  });

  it('reads no more once it is stopped', async () => {
    const on = await setUp();
    await on.list.start();
    on.list.stop();
    await on.pass(5_000);
    expect(on.reads()).toBe(1);
    expect(on.clock.pending()).toBe(0);
  });

  it('makes a verifier refuse what it refuses, and nothing else', async () => {
    const on = await setUp();
    await on.list.start();
    const verifier = withRevocations(createTokenVerifier(tokens), on.list);
    expect(isRefusal(verifier.verify(tokenOf('ada')))).toBe(false);
    on.list.hear({ of, atMs: Date.now() + 1_000, endsAtMs: 1e15 });
    expect(verifier.verify(tokenOf('ada'))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(verifier.verify('x')).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(isRefusal(verifier.verify(tokenOf('bob')))).toBe(false);
    on.list.stop();
  });
});

describe('a list of revocations that other nodes tell', () => {
  const told = () => {
    const said: string[] = [];
    let listener: (revocation: Revocation | undefined) => void = () => {};
    const push: RevocationPush = {
      made: (revocation) => void said.push(`made ${JSON.stringify(revocation.of)}`),
      stored: () => void said.push('stored'),
      listen(given) {
        listener = given;
        return () => {
          listener = () => void said.push('told after the end');
        };
      },
    };
    return { push, said, tell: (revocation?: Revocation) => listener(revocation) };
  };

  it('takes their word at once, and tells its own before and after it is stored', async () => {
    const { push, said, tell } = told();
    const { list, heard } = await setUp(undefined, push);
    await list.start();
    tell({ of, atMs: 5, endsAtMs: 1e15 });
    expect(list.isRevoked(ada)).toBe(true);
    expect(heard).toHaveLength(1);
    expect(said).toEqual([]);
    await list.revoke({ jti: 'j9' });
    expect(said).toEqual(['made {"jti":"j9"}', 'stored']);
    list.stop();
  });

  it('says nothing of storing when the store has failed', async () => {
    const { push, said } = told();
    const store = new MemoryRevocations();
    const broken: Revocations = {
      add: () => Promise.reject(new Fault('STORE_UNAVAILABLE', 'the disk')),
      read: (cursor) => store.read(cursor),
    };
    const { list } = await setUp(broken, push);
    await list.start();
    await expect(list.revoke({ jti: 'j9' })).rejects.toThrow('the disk');
    expect(said).toEqual(['made {"jti":"j9"}']);
    list.stop();
  });

  it('reads as soon as it hears that there is something new, ten times a second at most, and goes on reading every second', async () => {
    const { push, tell } = told();
    const store = new MemoryRevocations();
    const { list, clock, reads } = await setUp(store, push);
    await list.start();
    await store.add({ of, atMs: 5, endsAtMs: 1e15 });
    clock.advance(500);
    await turns(2);
    expect([reads(), list.isRevoked(ada)]).toEqual([1, false]);
    tell();
    clock.advance(0);
    await turns(2);
    expect([reads(), list.isRevoked(ada)]).toEqual([2, true]);
    for (let ms = 0; ms < 1_000; ms += 10) {
      tell();
      clock.advance(10);
      await turns(2);
    }
    expect(reads()).toBeGreaterThanOrEqual(11);
    expect(reads()).toBeLessThanOrEqual(13);
    const before = reads();
    clock.advance(1_000);
    await turns(2);
    expect(reads()).toBeGreaterThan(before);
    list.stop();
  });
});
