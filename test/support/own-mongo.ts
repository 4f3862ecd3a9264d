/**
 * OwnMongo: a MongoDB of one story's own, to be frozen, killed and robbed of its primary. Ended, with its data, by `stop`.
 *
 * Fetches mongod where it is not there yet; where it cannot be had the story fails and says so.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mongoose, { type mongo } from 'mongoose';
import { openCache } from '../services/cache-folder.ts';
import { mongo as service } from '../services/mongo.ts';
import { launch, lives } from '../services/processes.ts';

interface Member {
  pid: number;
  /** Its command line: what starts it again. */
  readonly command: readonly string[];
}

const silent = (): void => {};

export class OwnMongo {
  readonly url: string;
  readonly #folder: string;
  readonly #members: Member[];

  private constructor(url: string, folder: string, members: Member[]) {
    this.url = url;
    this.#folder = folder;
    this.#members = members;
  }

  static async start(members: 1 | 3): Promise<OwnMongo> {
    const cache = openCache();
    const options = { members, kafka: '3.9' } as const;
    const folder = mkdtempSync(join(tmpdir(), 'playhouse-mongo-'));
    const pids: number[] = [];
    try {
      await service.install(cache, options, silent);
      const { address } = await service.start(cache, folder, options, silent, (pid) => void pids.push(pid));
      const known = pids.map((pid) => ({ pid, command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1) }));
      return new OwnMongo(address, folder, known);
    } catch (error) {
      for (const pid of pids) if (lives(pid, folder)) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  signal(signal: NodeJS.Signals): void {
    for (const { pid } of this.#members) if (lives(pid, this.#folder)) process.kill(pid, signal);
  }

  /** Starts the members that were killed. Resolves when there is a primary again. */
  async restart(): Promise<void> {
    for (const member of this.#members) {
      if (lives(member.pid, this.#folder)) continue;
      const [command = '', ...args] = member.command;
      member.pid = launch('mongod-again', command, args, this.#folder);
    }
    await this.admin({ ping: 1 });
  }

  /** On the primary. */
  async admin(words: mongo.Document): Promise<mongo.Document> {
    const client = new mongoose.mongo.MongoClient(this.url, { serverSelectionTimeoutMS: 20_000 });
    try {
      await client.connect();
      return await client.db('admin').command(words);
    } finally {
      await client.close();
    }
  }

  async stop(): Promise<void> {
    this.signal('SIGCONT');
    this.signal('SIGKILL');
    while (this.#members.some(({ pid }) => lives(pid, this.#folder))) await new Promise((resolve) => setTimeout(resolve, 20));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
