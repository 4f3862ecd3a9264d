/** Notifier over HTTP: the contract, against a real server. */
import { afterEach, describe } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { createHttpNotifier } from '../../system/directory/notifier-http.ts';
import type { Told } from '../../system/directory/notifier-memory.ts';
import { createLogger } from '../../system/logger.ts';
import { type OutsideService, raw, startOutsideService } from '../support/outside-service.ts';
import { notifierContract } from './notifier.contract.ts';

const services: OutsideService[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
});

/** What was sent, as it was meant. */
function toldOf(body: unknown): Told {
  const { id: _, time: at, ids, more, ...message } = body as Told & { id: string; time: number; ids: Told['absent']['ids']; more: boolean };
  return { ...message, at, absent: { ids, more } };
}

describe('the notifier over HTTP', () => {
  notifierContract({
    async open() {
      const service = await startOutsideService(raw(204, {}));
      services.push(service);
      const log = createLogger({ level: 'silent', base: {} });
      const url = `${service.url}/notify`;
      const notifier = createHttpNotifier({ url, secret: undefined, timeoutMs: 5_000, clock: systemClock, chance: () => 0, log });
      return { notifier, told: () => service.requests.map(({ body }) => toldOf(body)) };
    },
  });
});
