/**
 * OwnKafka: a Kafka that a test may kill and freeze. On free ports, in a folder of its own, gone at the end.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafka } from '../services/kafka.ts';
import { endProcesses, launch, lives } from '../services/processes.ts';
import type { ServiceOptions } from '../services/service.ts';
import { waitUntil } from './store-processes.ts';

/** As CI and people choose it for the shared one. */
const release = (process.env['PLAYHOUSE_TEST_KAFKA_RELEASE'] ?? '3.9') as ServiceOptions['kafka'];

export class OwnKafka {
  readonly brokers: string;
  private readonly folder: string;
  private readonly command: readonly string[];
  private pid: number;

  private constructor(brokers: string, folder: string, pid: number) {
    this.brokers = brokers;
    this.folder = folder;
    this.pid = pid;
    this.command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  }

  static async start(): Promise<OwnKafka> {
    const cache = process.env['PLAYHOUSE_CACHE'] ?? join(homedir(), '.cache', 'playhouse');
    const folder = mkdtempSync(join(tmpdir(), 'own-kafka-'));
    const options = { members: 1, kafka: release };
    const silent = () => {};
    await kafka.install(cache, options, silent);
    const launched: number[] = [];
    try {
      const { address, pids } = await kafka.start(cache, folder, options, silent, (pid) => void launched.push(pid));
      return new OwnKafka(address, folder, pids[0] as number);
    } catch (error) {
      await endProcesses(launched, folder, 0);
      throw error;
    }
  }

  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await waitUntil('Kafka is gone', () => !lives(this.pid, this.folder));
  }

  /** The same broker, at the same address, with what it had. It answers some seconds later. */
  restart(): void {
    const [java = 'java', ...args] = this.command;
    this.pid = launch('again', java, args, this.folder);
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  async end(): Promise<void> {
    await endProcesses([this.pid], this.folder, 5_000);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
