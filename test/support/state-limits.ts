/**
 * Limits of a state server for tests: roomy, and each can be made small.
 */
import type { StateLimits } from '../../system/state/state-server-state.ts';

export function testLimits(overrides: Partial<StateLimits> = {}): StateLimits {
  return {
    livesMax: 100,
    graceMs: 8_000,
    sessionsMax: 100_000,
    watchedMax: 100_000,
    voiceWatchedMax: 100,
    watchesMax: 100_000,
    guestsMax: 1_000,
    olderKeptMs: 86_400_000,
    communitiesMax: 1_000,
    channelsPerCommunityMax: 100,
    usersPerCommunityMax: 1_000,
    ...overrides,
  };
}
