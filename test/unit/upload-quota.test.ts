/** UploadQuota: bytes of files of one user within 24 hours, set aside before they come. */
import { describe, expect, it } from 'vitest';
import { type Allowance, UploadQuota } from '../../gateway/upload-quota.ts';
import { manualClock } from '../support/manual-clock.ts';

const hourMs = 3_600_000;

function stage({ bytesMax = 100, usersMax = 10 } = {}) {
  const clock = manualClock();
  const quota = new UploadQuota({ bytesMax, usersMax, clock });
  const allowed = (user: string, bytes: number): Allowance => {
    const allowance = quota.take(user, bytes);
    if ('code' in allowance) throw new Error(allowance.message);
    return allowance;
  };
  const upload = (user: string, bytes: number): void => {
    const allowance = allowed(user, bytes);
    allowance.kept(bytes);
    allowance.end();
  };
  return { clock, quota, allowed, upload };
}

describe('a quota of uploads', () => {
  it('grants so many bytes within 24 hours, in whatever pieces, and says when they fit again', () => {
    const { clock, quota, upload } = stage();
    upload('ada', 40);
    clock.advance(5 * hourMs);
    upload('ada', 60);
    expect(quota.take('ada', 1)).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: 20 * hourMs });
    expect(quota.take('ada', 41)).toMatchObject({ retryAfterMs: 25 * hourMs });
    upload('bob', 100);
    clock.advance(20 * hourMs - 1);
    expect(quota.take('ada', 1)).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1 });
    clock.advance(1);
    upload('ada', 40);
    expect(quota.take('ada', 1)).toMatchObject({ retryAfterMs: 5 * hourMs });
    expect(quota.refused).toBe(4);
  });

  it('never grants more than that within any 24 hours, whatever the hours are', () => {
    const { clock, quota } = stage({ bytesMax: 50 });
    const kept: { atMs: number; bytes: number }[] = [];
    for (let step = 0; step < 2_000; step += 1) {
      clock.advance(((step * 7_919) % 90) * 60_000);
      const bytes = 1 + ((step * 31) % 20);
      const allowance = quota.take('ada', bytes);
      if ('code' in allowance) continue;
      allowance.kept(bytes);
      allowance.end();
      kept.push({ atMs: clock.nowMs(), bytes });
    }
    expect(kept.length).toBeGreaterThan(100);
    for (const { atMs } of kept) {
      const day = kept.filter((each) => each.atMs > atMs - 24 * hourMs && each.atMs <= atMs);
      expect(day.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(50);
    }
  });

  it('sets aside what may come, so that uploads at once do not exceed it together, and takes back what did not come', () => {
    const { quota, allowed } = stage();
    const [first, second] = [allowed('ada', 60), allowed('ada', 40)];
    expect(quota.take('ada', 1)).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 1_000 });
    second.end(); // Refused by the room, or sent before: nothing of it is kept.
    second.end();
    const third = allowed('ada', 40);
    first.kept(10);
    first.end();
    third.end();
    allowed('ada', 90);
    expect(quota.take('ada', 1)).toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('remembers so many users; who uploaded longest ago begins anew, and nobody with an upload under way', () => {
    const { quota, allowed, upload } = stage({ usersMax: 3 });
    const underWay = allowed('ada', 100);
    for (const user of ['bob', 'eve', 'joe', 'kim']) upload(user, 100);
    expect(quota.users).toBe(3);
    expect(quota.take('ada', 1)).toMatchObject({ code: 'RATE_LIMITED' });
    expect(quota.take('kim', 1)).toMatchObject({ code: 'RATE_LIMITED' });
    upload('bob', 100);
    underWay.end();
  });

  it('forgets who left nothing', () => {
    const { quota, allowed } = stage();
    for (let i = 0; i < 100; i += 1) allowed(`user-${i}`, 100).end();
    expect(quota.users).toBe(0);
  });
});
