/**
 * FileCollectors: a collector of orphans over a stage's two stores, asked by hand.
 */
import { systemClock } from '../../system/clock.ts';
import { type CollectorDeps, FileCollector } from '../../system/files/file-collector.ts';
import type { FileStore } from '../../system/files/file-store.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { silentLog } from './embedded-stores.ts';

/** `orphanAgeMs` below 0: everything is old enough. */
export function collectorOver(
  { files, store }: { readonly files: FileStore; readonly store: Pick<RoomStore, 'log'> },
  orphanAgeMs: number,
  onCollected: CollectorDeps['onCollected'] = () => {},
): FileCollector {
  const times = { orphanAgeMs, everyMs: 3_600_000, restMs: 1 };
  return new FileCollector({ files, log: store.log, clock: systemClock, logger: silentLog, times, onCollected });
}
