/**
 * Node files: where a node keeps uploaded files, who takes away what nobody refers to, and the routes. A part of the composition.
 */
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { RoomFiles } from '../actors/room-files.ts';
import type { Rooms } from '../actors/rooms.ts';
import type { Config } from '../config/schema.ts';
import { addFiles, type FileRouteDeps } from '../gateway/files.ts';
import type { Clock } from './clock.ts';
import { collectorTimes, FileCollector } from './files/file-collector.ts';
import type { FileStore } from './files/file-store.ts';
import { openEmbeddedFiles } from './files/file-store-embedded.ts';
import { MemoryFileStore } from './files/file-store-memory.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { RoomLog } from './store/room-log.ts';
import { deletesWatched } from './store/room-log-watched.ts';

export type FilesConfig = Pick<
  Config,
  'dataDir' | 'mongoUrl' | 'allowUnsafeStore' | 'fileBytesMax' | 'uploadTimeoutMs' | 'uploadBytesPerDayMax'
>;

export interface NodeFilesOptions {
  readonly config: FilesConfig;
  readonly log: Logger;
  /** Other parts than the configured ones. Without a file store among them files are in memory. */
  readonly parts?: { readonly files?: FileStore };
}

interface Around {
  readonly log: RoomLog;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export async function openNodeFiles(options: NodeFilesOptions, around: Around): Promise<NodeFiles> {
  const { config, parts } = options;
  const store = parts ? (parts.files ?? new MemoryFileStore(around.clock)) : await openConfigured(config, around.clock);
  return new NodeFiles(store, options, around);
}

/** In MongoDB where it is given, else in the data folder, beside the log. */
async function openConfigured({ dataDir, mongoUrl, allowUnsafeStore }: FilesConfig, clock: Clock): Promise<FileStore> {
  if (mongoUrl === undefined) return openEmbeddedFiles(join(dataDir, 'files'), clock);
  const { openMongoFiles } = await import('./files/file-store-mongo.ts');
  return openMongoFiles({ url: mongoUrl, allowUnsafe: allowUnsafeStore === true, clock });
}

export class NodeFiles {
  /** The log that rooms are to use: what it deletes loses its bytes. */
  readonly log: RoomLog;
  readonly description: string;
  readonly #store: FileStore;
  readonly #options: NodeFilesOptions;
  readonly #around: Around;
  readonly #collector: FileCollector;

  constructor(files: FileStore, options: NodeFilesOptions, around: Around) {
    this.#store = files;
    this.#options = options;
    this.#around = around;
    this.description = files.description;
    const { log, clock, metrics } = around;
    const counters = {
      deleted: metrics.counter('playhouse_files_collected_total', { why: 'deleted' }),
      orphan: metrics.counter('playhouse_files_collected_total', { why: 'orphan' }),
    };
    this.#collector = new FileCollector({
      files,
      log,
      clock,
      logger: options.log,
      times: { ...collectorTimes, orphanAgeMs: Math.max(collectorTimes.orphanAgeMs, 2 * options.config.uploadTimeoutMs) },
      onCollected: (why) => {
        counters[why].value += 1;
      },
    });
    this.log = deletesWatched(log, (room, target) => this.#collector.deleted(room, target));
    this.#collector.start();
  }

  addRoutes(app: FastifyInstance, rooms: Rooms, edge: Pick<FileRouteDeps, 'verifier' | 'userCommands'>): void {
    const { config, log: logger } = this.#options;
    const { log, clock, metrics } = this.#around;
    const room = new RoomFiles({ rooms, log, files: this.#store, clock, logger });
    const { fileBytesMax, uploadTimeoutMs, uploadBytesPerDayMax } = config;
    const limits = { fileBytesMax, uploadTimeoutMs, uploadBytesPerDayMax };
    addFiles(app, { room, store: this.#store, ...edge, ...limits, clock, log: logger, metrics });
  }

  /** The store they stand beside, closed together with them. */
  closedWith(store: { close(): Promise<void> }): { close(): Promise<void> } {
    return {
      close: async () => {
        await Promise.all([this.close(), store.close()]);
      },
    };
  }

  async close(): Promise<void> {
    this.#collector.stop();
    await this.#store.close();
  }
}
