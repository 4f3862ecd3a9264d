/**
 * Whatever nodes say to the state server, in whatever order, against a model that is searched each time; and many sessions at once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRow } from '../../system/state/state-lines.ts';
import { type TestNode, toldState } from '../support/told-state.ts';

describe('whatever nodes say, in whatever order', () => {
  type Step =
    | {
        readonly do: 'put' | 'gone' | 'tell' | 'stage';
        readonly node: number;
        readonly session: number;
        readonly user: number;
        readonly place: number;
      }
    | { readonly do: 'hello' | 'restart' | 'bye' | 'left' | 'commit'; readonly node: number }
    | { readonly do: 'wait'; readonly ms: number };
  const small = fc.nat(2);
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      fc.record({ do: fc.constantFrom('put', 'gone', 'tell', 'stage'), node: small, session: small, user: small, place: small }),
      fc.record({ do: fc.constantFrom('hello', 'restart', 'bye', 'left', 'commit'), node: small }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 4_000, 9_000) }),
    ) as fc.Arbitrary<Step>,
    { maxLength: 60 },
  );

  it('a user is online exactly while some life that counts has a session of theirs (against a list that is searched each time)', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const { server, up } = toldState();
        let now = 0;
        const incs = [1, 1, 1];
        const nodes = [0, 1, 2].map((i) => up(`n${i}`, `n${i}.1`));
        /** The model: what each life has told, when it was heard last. */
        let model: {
          key: string;
          heard: number;
          rows: Map<string, SessionRow>;
          staged?: Map<string, SessionRow> | undefined;
          isOver?: boolean;
        }[] = nodes.map(({ key }) => ({ key, heard: 0, rows: new Map() }));
        const online = new Set<string>();
        for (const step of given) {
          if (step.do === 'wait') {
            now += step.ms;
            server.expire(now);
            model = model.filter((life) => now - life.heard < 8_000);
          } else {
            const node = nodes[step.node] as TestNode;
            const find = () => model.find((life) => life.key === node.key && !life.isOver);
            const life = find();
            if (life && step.do !== 'left' && step.do !== 'restart') life.heard = now;
            if (step.do === 'put' || step.do === 'tell' || step.do === 'stage') {
              const row: SessionRow = [`s${step.session}`, `u${step.user}`, `p${step.place}`];
              if (step.do === 'put') {
                node.put([row], now);
                (life?.staged ?? life?.rows)?.set(row[0], row);
              } else {
                node.snapshot([row], [], now, true, step.do === 'tell');
                if (life) life.staged = new Map([[row[0], row]]);
                if (life && step.do === 'tell') [life.rows, life.staged] = [life.staged ?? new Map(), undefined];
              }
            } else if (step.do === 'gone') {
              node.gone([`s${step.session}`], now);
              (life?.staged ?? life?.rows)?.delete(`s${step.session}`);
            } else if (step.do === 'commit') {
              node.snapshot([], [], now, false, true);
              if (life?.staged) [life.rows, life.staged] = [life.staged, undefined];
            } else if (step.do === 'bye') {
              node.say({ type: 'bye' }, now);
              model = model.filter((other) => other !== life);
            } else if (step.do === 'left') {
              server.left(node.key);
              if (life) life.staged = undefined;
            } else {
              if (step.do === 'restart') {
                incs[step.node] = (incs[step.node] ?? 0) + 1;
                if (life) [life.isOver, life.staged] = [true, undefined];
                nodes[step.node] = up(`n${step.node}`, `n${step.node}.${incs[step.node]}`, now);
              } else expect(node.hello(now)).toBe('ok');
              const again = find();
              if (again && step.do === 'hello') again.staged = undefined;
              if (step.do === 'restart' || !again) model.push({ key: nodes[step.node]?.key ?? '', heard: now, rows: new Map() });
            }
          }
          for (const { user, state } of server.takeChanges(0).news) {
            expect(online.has(user), `${user} ${state} is news`).toBe(state === 'offline');
            if (state === 'online') online.add(user);
            else online.delete(user);
          }
          for (const user of ['u0', 'u1', 'u2']) {
            const places = new Set(
              model.flatMap(({ rows }) => [...rows.values()]).flatMap(([, of, place]) => (of === user ? [place] : [])),
            );
            const row = server.row(user);
            expect(row).toEqual([user, places.size > 0 ? 'online' : 'offline', [...places].sort()]);
            expect(online.has(user)).toBe(places.size > 0);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('10,000 sessions', () => {
  it('told again, twice, are no change and no transition', () => {
    const { up, server, news } = toldState();
    const a = up('a');
    const rows: SessionRow[] = Array.from({ length: 10_000 }, (_, i) => [`s-${i}`, `user-${i % 5_000}`, 'home']);
    a.snapshot(rows);
    expect(news()).toHaveLength(5_000);
    a.hello();
    a.snapshot(rows);
    expect(server.takeChanges(0)).toEqual({ news: [], users: [] });
  });
});
