/**
 * The contract of StateLink as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import { type StateLink, watchedMax } from '../../system/state/state-link.ts';
import { user } from '../support/entries.ts';
import { liveSession, RecordingListener, session } from '../support/state-link-listener.ts';
import { seeded, waitUntil } from '../support/store-processes.ts';

/** A state server that can go away and come back, and links to it. */
export interface StateLinkStage {
  join(node: string): StateLink;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Ends the links and the server. */
  close(): Promise<void>;
}

export function stateLinkContract(open: () => Promise<StateLinkStage>): void {
  interface Pair {
    readonly stage: StateLinkStage;
    readonly one: StateLink;
    readonly two: StateLink;
    /** What the second link was told. */
    readonly heard: RecordingListener;
  }
  const withPair = async (story: (pair: Pair) => Promise<void>): Promise<void> => {
    const stage = await open();
    try {
      const [one, two] = [stage.join('one'), stage.join('two')];
      const heard = new RecordingListener(two);
      await story({ stage, one, two, heard });
    } finally {
      await stage.close();
    }
  };

  it('is live soon, says so once and in no method of its own', () =>
    withPair(async ({ two, heard }) => {
      expect(two.state).not.toBe('live');
      expect(heard.lives).toEqual([]);
      await heard.isLive();
      two.watch(user('ada'));
      expect(heard.rows).toEqual([]);
      await heard.hears('ada', 'offline');
      expect(heard.lives).toHaveLength(1);
      expect(two.description).not.toBe('');
    }));

  it('tells of sessions elsewhere and of its own: place, moves, end', () =>
    withPair(async ({ one, two, heard }) => {
      expect(two.watch(user('ada'))).toBe(true);
      two.watch(user('bob'));
      one.put(liveSession('s1', 'ada'));
      two.put(liveSession('s2', 'bob', 'lobby'));
      await heard.hears('ada', 'in home');
      await heard.hears('bob', 'in lobby');
      one.put(liveSession('s1', 'ada', 'lobby'));
      await heard.hears('ada', 'in lobby');
      one.remove(session('s1'));
      two.remove(session('s2'));
      await heard.hears('ada', 'offline');
      await heard.hears('bob', 'offline');
    }));

  it('has a user online until the last session on any node has ended, places sorted and each once', () =>
    withPair(async ({ one, two, heard }) => {
      two.watch(user('ada'));
      one.put(liveSession('s1', 'ada', 'lobby'));
      one.put(liveSession('s2', 'ada', 'attic'));
      two.put(liveSession('s3', 'ada', 'lobby'));
      await heard.hears('ada', 'in attic lobby');
      one.remove(session('s2'));
      await heard.hears('ada', 'in lobby');
      one.remove(session('s1'));
      two.put(liveSession('s3', 'ada', 'cellar'));
      await heard.hears('ada', 'in cellar');
      two.remove(session('s3'));
      await heard.hears('ada', 'offline');
    }));

  it('takes the last of several calls in one turn, and one that is made twice, as one', () =>
    withPair(async ({ one, two, heard }) => {
      await heard.isLive();
      two.watch(user('ada'));
      two.watch(user('bob'));
      two.watch(user('cid'));
      for (const place of ['a', 'b', 'c']) one.put(liveSession('s1', 'ada', place));
      one.put(liveSession('s2', 'bob'));
      one.remove(session('s2'));
      one.put(liveSession('s3', 'cid'));
      one.remove(session('s3'));
      one.put(liveSession('s3', 'cid', 'attic'));
      one.put(liveSession('s3', 'cid', 'attic'));
      one.remove(session('unknown'));
      await heard.hears('ada', 'in c');
      await heard.hears('cid', 'in attic');
      await heard.hears('bob', 'offline');
      expect(one.counts().sessions).toBe(2);
    }));

  it('moves a session to another user: the first is offline, the second online', () =>
    withPair(async ({ one, two, heard }) => {
      two.watch(user('ada'));
      two.watch(user('bob'));
      one.put(liveSession('s1', 'ada'));
      await heard.hears('ada', 'in home');
      one.put(liveSession('s1', 'bob'));
      await heard.hears('bob', 'in home');
      await heard.hears('ada', 'offline');
    }));

  it('tells nothing of a user who is not watched any more', () =>
    withPair(async ({ one, two, heard }) => {
      two.watch(user('ada'));
      two.watch(user('bob'));
      await heard.hears('ada', 'offline');
      two.unwatch(user('ada'));
      two.unwatch(user('nobody'));
      // The answer to a second watch came after the unwatch had been told.
      two.watch(user('cid'));
      await heard.hears('cid', 'offline');
      const before = heard.rows.length;
      one.put(liveSession('s1', 'ada'));
      one.put(liveSession('s2', 'bob'));
      await heard.hears('bob', 'in home');
      expect(heard.rows.slice(before).map((row) => row.user)).not.toContain('ada');
      two.watch(user('ada'));
      await heard.hears('ada', 'in home');
    }));

  it('tells a new listener the states of all watched users again', () =>
    withPair(async ({ one, two, heard }) => {
      two.watch(user('ada'));
      one.put(liveSession('s1', 'ada'));
      await heard.hears('ada', 'in home');
      // Whatever was on its way to the first listener is behind it.
      two.watch(user('bob'));
      await heard.hears('bob', 'offline');
      const second = new RecordingListener(two);
      await second.hears('ada', 'in home');
      one.remove(session('s1'));
      await second.hears('ada', 'offline');
      expect(heard.of('ada')).toBe('in home');
    }));

  it('says that it is not live and why, and after the outage tells what is true then', () =>
    withPair(async ({ stage, one, two, heard }) => {
      for (const name of ['ada', 'bob', 'cid', 'eve']) two.watch(user(name));
      one.put(liveSession('s1', 'ada'));
      one.put(liveSession('s2', 'bob'));
      one.put(liveSession('s5', 'eve'));
      for (const name of ['ada', 'bob', 'eve']) await heard.hears(name, 'in home');
      await stage.stop();
      await heard.isDown();
      expect(heard.lives.at(-1)).toMatch(/^down: .{3,200}$/);
      expect(two.state).not.toBe('live');
      one.put(liveSession('s1', 'ada', 'attic'));
      one.remove(session('s2'));
      one.put(liveSession('s3', 'cid'));
      one.remove(session('s3'));
      one.put(liveSession('s4', 'dora', 'cellar'));
      two.watch(user('dora'));
      two.unwatch(user('cid'));
      const before = heard.rows.length;
      await stage.start();
      await heard.isLive();
      await heard.hears('ada', 'in attic');
      await heard.hears('bob', 'offline');
      await heard.hears('dora', 'in cellar');
      await waitUntil('who did not change is told of again', () =>
        heard.rows.slice(before).some((row) => row.user === 'eve' && row.state === 'online'),
      );
      expect(heard.rows.slice(before).map((row) => row.user)).not.toContain('cid');
      expect(one.counts().sessions).toBe(3);
      expect(two.counts().watched).toBe(4);
    }));

  it('ends its sessions at once when it drains, and takes nothing more', () =>
    withPair(async ({ stage, one, two, heard }) => {
      two.watch(user('ada'));
      one.put(liveSession('s1', 'ada'));
      await heard.hears('ada', 'in home');
      one.watch(user('ada'));
      await Promise.all([one.drain(2_000), one.drain(2_000)]);
      expect(one.state).toBe('draining');
      await heard.hears('ada', 'offline');
      one.put(liveSession('s2', 'ada'));
      expect(one.watch(user('bob'))).toBe(false);
      one.remove(session('s1'));
      one.unwatch(user('bob'));
      expect(one.counts()).toEqual({ sessions: 0, watched: 0, waiting: 0 });
      await one.close();
      await one.close();
      const three = stage.join('three');
      three.put(liveSession('s3', 'ada', 'attic'));
      await heard.hears('ada', 'in attic');
      expect(heard.rows.map((row) => row.places.join())).not.toContain('attic,home');
    }));

  it('calls its listener no more once it was closed, also from within a call', () =>
    withPair(async ({ stage, one, two }) => {
      let calls = 0;
      two.listen({
        onLive() {},
        onStates() {
          calls += 1;
          if (calls === 2) void two.close();
        },
      });
      two.watch(user('ada'));
      one.put(liveSession('s1', 'ada'));
      for (let i = 0; calls < 2; i += 1) {
        one.put(liveSession('s1', 'ada', `room-${i}`));
        await new Promise((resolve) => setImmediate(resolve));
      }
      one.remove(session('s1'));
      const three = stage.join('three');
      const heard = new RecordingListener(three);
      three.watch(user('ada'));
      await heard.hears('ada', 'offline');
      expect(calls).toBe(2);
    }));

  it('drains in time while there is no server', () =>
    withPair(async ({ stage, one, two, heard }) => {
      await heard.isLive();
      await stage.stop();
      await heard.isDown();
      one.put(liveSession('s1', 'ada'));
      await Promise.all([one.drain(50), two.close()]);
      expect([one.state, two.state]).toEqual(['draining', 'draining']);
    }));

  it('refuses to watch more users than it may', () =>
    withPair(async ({ two }) => {
      for (let i = 0; i < watchedMax; i += 1) if (!two.watch(user(`u${i}`))) throw new Error(`${i} refused`);
      expect(two.watch(user('more'))).toBe(false);
      expect(two.watch(user('u7'))).toBe(true);
      two.unwatch(user('u7'));
      expect(two.watch(user('more'))).toBe(true);
      expect(two.counts().watched).toBe(watchedMax);
    }));

  it('is right in the end after many changes and three outages', () =>
    withPair(async ({ stage, one, two, heard }) => {
      const random = seeded(7);
      const pick = (count: number): number => Math.floor(random() * count);
      const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
      const truth = new Map<string, { readonly user: string; readonly place: string }>();
      for (const name of users) two.watch(user(name));
      for (let outage = 0; outage < 3; outage += 1) {
        for (let step = 0; step < 400; step += 1) {
          const [link, of] = pick(2) === 0 ? [one, 'one'] : [two, 'two'];
          const id = `${of}-${pick(40)}`;
          if (pick(3) === 0) {
            link.remove(session(id));
            truth.delete(id);
          } else {
            const row = { user: users[pick(20)] ?? '', place: `r${pick(5)}` };
            link.put(liveSession(id, row.user, row.place));
            truth.set(id, row);
          }
          if (step % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
          if (step === 200) await stage.stop();
          if (step === 300) await stage.start();
        }
      }
      await heard.isLive();
      for (const name of users) {
        const places = new Set([...truth.values()].filter((row) => row.user === name).map((row) => row.place));
        await heard.hears(name, places.size === 0 ? 'offline' : `in ${[...places].sort().join(' ')}`);
      }
    }));
}
