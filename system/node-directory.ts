/**
 * Node directory: the services outside that a node is configured with, or the built-in ones, which know and tell nobody.
 *
 * Part of the composition. Guarantees: a node starts and serves without them.
 */
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import type { SharedCache } from './cluster/shared-cache.ts';
import { type Directory, listLifetimeMs } from './directory/directory.ts';
import { createCachedDirectory } from './directory/directory-cached.ts';
import { createHttpDirectory } from './directory/directory-http.ts';
import { createMemoryDirectory } from './directory/directory-memory.ts';
import type { Notifier } from './directory/notifier.ts';
import { createHttpNotifier } from './directory/notifier-http.ts';
import { createMemoryNotifier } from './directory/notifier-memory.ts';
import type { Health } from './health.ts';
import { chance } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

/** Nodes that share no cache do not hear what another was told: a list counts for so long there. */
const aloneLifetimeMs = 5 * 60_000;

export type DirectoryConfig = Pick<
  Config,
  'mongoUrl' | 'directoryUrl' | 'directorySecret' | 'directoryTimeoutMs' | 'notifyUrl' | 'notifySecret' | 'notifyTimeoutMs'
>;

export interface NodeDirectory {
  readonly directory: Directory;
  readonly notifier: Notifier;
  /** Ends both. Never rejects. Idempotent. */
  drain(deadlineMs: number): Promise<void>;
}

export interface DirectoryParts {
  readonly cache: SharedCache;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly health: Health;
}

export function openNodeDirectory(config: DirectoryConfig, { cache, clock, log, metrics, health }: DirectoryParts): NodeDirectory {
  const directory = openDirectory(config, cache, clock, log, metrics);
  const notifier =
    config.notifyUrl === undefined
      ? createMemoryNotifier()
      : createHttpNotifier({ url: config.notifyUrl, secret: config.notifySecret, timeoutMs: config.notifyTimeoutMs, clock, chance, log });
  if (directory.isOutside) health.add('directory', () => directory.health());
  if (config.notifyUrl !== undefined) health.add('notifier', () => notifier.health());
  metrics.read('playhouse_notifications_waiting', () => notifier.counts().waiting);
  metrics.read('playhouse_notifications_total', () => {
    const { waiting: _, ...outcomes } = notifier.counts();
    return { ...outcomes };
  });
  return {
    directory,
    notifier,
    async drain(deadlineMs) {
      await Promise.all([notifier.drain(deadlineMs), directory.close()]);
    },
  };
}

function openDirectory(config: DirectoryConfig, cache: SharedCache, clock: Clock, log: Logger, metrics: Metrics): Directory {
  const counts = { calls: 0, failed: 0, refused: 0 };
  metrics.read('playhouse_directory_calls_total', () => ({ ...counts }));
  if (config.directoryUrl === undefined) return createMemoryDirectory();
  const { directoryUrl: url, directorySecret: secret, directoryTimeoutMs: timeoutMs } = config;
  const source = createHttpDirectory({ url, secret, timeoutMs, clock, chance, log, counts });
  // One node on the embedded store is the whole cluster: what it was told, all were told.
  const isAlone = config.mongoUrl === undefined;
  return createCachedDirectory({ source, cache, lifetimeMs: cache.isShared || isAlone ? listLifetimeMs : aloneLifetimeMs, clock, log });
}
