/**
 * UserRates: a rate for each user whose requests come without a connection.
 *
 * Memory is bounded: beyond `usersMax` the user who was not seen for the longest time is forgotten, and would begin with a
 * full burst. With one token a request each of them paid for that with a valid token.
 */
import type { Clock } from '../system/clock.ts';
import { RateLimit } from './rate-limit.ts';

export interface RateSettings {
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
}

export const usersMax = 10_000;
/** Whoever asks far over its rate waits as long as it takes the count of that to end. */
const floodRetryAfterMs = 10_000;

export class UserRates {
  private readonly settings: RateSettings;
  private readonly clock: Pick<Clock, 'nowMs'>;
  /** Seen last comes last. */
  private readonly rates = new Map<string, RateLimit>();

  constructor(settings: RateSettings, clock: Pick<Clock, 'nowMs'>) {
    this.settings = settings;
    this.clock = clock;
  }

  get size(): number {
    return this.rates.size;
  }

  /** undefined: go on. Else when to come again. */
  take(user: string): number | undefined {
    const rate = this.rates.get(user) ?? new RateLimit(this.settings.commandsPerSecondMax, this.settings.commandsBurstMax, this.clock);
    this.rates.delete(user);
    this.rates.set(user, rate);
    if (this.rates.size > usersMax) this.rates.delete(this.rates.keys().next().value as string);
    const verdict = rate.take();
    if (verdict.type === 'passed') return undefined;
    return verdict.type === 'flood' ? floodRetryAfterMs : verdict.retryAfterMs;
  }
}
