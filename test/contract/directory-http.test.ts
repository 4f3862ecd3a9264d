/** Directory over HTTP with its cache: the contract, against a real server. */
import { afterAll, beforeAll, describe } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { createMemoryCacheHub } from '../../system/cluster/shared-cache-memory.ts';
import { createCachedDirectory } from '../../system/directory/directory-cached.ts';
import { createHttpDirectory } from '../../system/directory/directory-http.ts';
import { createLogger } from '../../system/logger.ts';
import { json, members, type OutsideService, routes, startOutsideService } from '../support/outside-service.ts';
import { directoryContract } from './directory.contract.ts';

let service: OutsideService;
beforeAll(async () => {
  service = await startOutsideService(
    routes({
      '/room/feign/7/member-id': members(1, 'ada'),
      '/community/feign/3/member-id': members(2),
      '/community/feign/7/member-id': members(),
      '/community/feign/room-list/1': json(['direct/7', 'community/3']),
    }),
  );
});
afterAll(() => service.stop());

describe('the directory over HTTP', () => {
  directoryContract({
    async open() {
      const clock = systemClock;
      const log = createLogger({ level: 'silent', base: {} });
      const source = createHttpDirectory({ url: `${service.url}/`, secret: undefined, timeoutMs: 2_000, clock, chance: () => 0, log });
      return createCachedDirectory({ source, cache: createMemoryCacheHub(clock).join(), lifetimeMs: 60_000, clock, log });
    },
  });
});
