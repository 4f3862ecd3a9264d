/**
 * Health: which parts make a node unready, and what it says of them.
 */
import { describe, expect, it } from 'vitest';
import { Health, type PartState } from '../../system/health.ts';

function setUp(states: Record<string, () => PartState>) {
  const health = new Health();
  for (const [part, read] of Object.entries(states)) health.add(part, read);
  return health.readiness();
}

describe('a node', () => {
  it('is ready when every part is up', () => {
    expect(setUp({ store: () => 'up', loop: () => 'up' })).toEqual({ ready: true, reasons: [], parts: { store: 'up', loop: 'up' } });
  });

  it('stays ready with a degraded part, and says so', () => {
    expect(setUp({ store: () => 'up', presence: () => ({ degraded: 'is unknown: no link' }) })).toEqual({
      ready: true,
      reasons: ['presence is unknown: no link'],
      parts: { store: 'up', presence: 'degraded' },
    });
  });

  it('is not ready with a part that is down, and names all that is wrong', () => {
    const { ready, reasons } = setUp({ store: () => ({ down: 'takes no writes' }), presence: () => ({ degraded: 'is unknown' }) });
    expect(ready).toBe(false);
    expect(reasons).toEqual(['store takes no writes', 'presence is unknown']);
  });

  it('is not ready when a part fails while it is asked', () => {
    const broken = () => {
      throw new Error('secret');
    };
    expect(setUp({ store: broken })).toEqual({ ready: false, reasons: ['store does not say how it is'], parts: { store: 'down' } });
  });
});
