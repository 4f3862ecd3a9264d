/**
 * ServiceSet: the servers that were started for one purpose, known by a record in a folder of theirs.
 *
 * Guarantees: the record is written after each start, so that what one program started, another can end, also after a kill -9 of the first;
 * a process is ended only if it still runs in the folder it was launched in. What an address was given for is used, and never ended.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCache } from './cache-folder.ts';
import { endProcesses, lives } from './processes.ts';
import { MissingTool, type Service, type ServiceOptions, type Started } from './service.ts';

export interface InUse {
  readonly name: string;
  /** For people. */
  readonly address: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly origin: 'given' | 'running' | 'started';
}

interface Recorded extends Started {
  readonly name: string;
  readonly folder: string;
}

export type Say = (service: string, text: string) => void;

export class ServiceSet {
  private readonly folder: string;
  private readonly record: string;
  private readonly say: Say;

  constructor(folder: string, say: Say) {
    this.folder = folder;
    this.record = join(folder, 'started.json');
    this.say = say;
  }

  /** Uses what is given in `environment` or runs already, else starts it. Rejects with MissingTool when it cannot be had. */
  async use(service: Service, options: ServiceOptions, environment: Readonly<Record<string, string | undefined>>): Promise<InUse> {
    const { name } = service;
    const address = environment[service.variable];
    if (address !== undefined && address !== '') {
      this.say(name, `as ${service.variable} says`);
      return { name, address: withoutPassword(address), environment: service.environmentOf(address), origin: 'given' };
    }
    const known = this.recorded().find((each) => each.name === name && each.pids.every((pid) => lives(pid, each.folder)));
    if (known) {
      this.say(name, 'runs already');
      return { ...known, origin: 'running' };
    }
    return { ...(await this.startSurely(service, options)), origin: 'started' };
  }

  /** Ends what was started, and forgets its data. Answers the names. */
  async stop(): Promise<readonly string[]> {
    const recorded = this.recorded();
    for (const { name, pids, folder } of recorded) {
      await endProcesses(pids, folder);
      rmSync(folder, { recursive: true, force: true });
      this.say(name, 'ended');
    }
    rmSync(this.record, { force: true });
    return recorded.map(({ name }) => name);
  }

  /** A port that was free may be taken by somebody else before the server has it: then once more, with other ports. */
  private async startSurely(service: Service, options: ServiceOptions): Promise<Recorded> {
    try {
      return await this.start(service, options);
    } catch (error) {
      if (error instanceof MissingTool) throw error;
      this.say(service.name, `did not start (${error instanceof Error ? error.message.slice(0, 200) : 'unknown'}); once more`);
      return this.start(service, options);
    }
  }

  private async start(service: Service, options: ServiceOptions): Promise<Recorded> {
    const cache = openCache();
    const tell = (text: string): void => this.say(service.name, text);
    await service.install(cache, options, tell);
    mkdirSync(this.folder, { recursive: true });
    const folder = mkdtempSync(join(this.folder, `${service.name}-`));
    const launched: number[] = [];
    const remember = (started: Started): Recorded => {
      const recorded = { ...started, name: service.name, folder };
      const others = this.recorded().filter((each) => each.folder !== folder);
      const draft = `${this.record}.${process.pid}.part`;
      writeFileSync(draft, JSON.stringify([...others, recorded], null, 2));
      renameSync(draft, this.record);
      return recorded;
    };
    try {
      const onLaunch = (pid: number): void => {
        launched.push(pid);
        // Known before it is up: whoever kills this program meanwhile leaves nothing that cannot be ended.
        remember({ pids: [...launched], address: 'starting', environment: {} });
      };
      return remember(await service.start(cache, folder, options, tell, onLaunch));
    } catch (error) {
      await endProcesses(launched, folder);
      rmSync(folder, { recursive: true, force: true });
      const others = this.recorded().filter((each) => each.folder !== folder);
      if (existsSync(this.record)) writeFileSync(this.record, JSON.stringify(others, null, 2));
      throw error;
    }
  }

  private recorded(): readonly Recorded[] {
    return existsSync(this.record) ? (JSON.parse(readFileSync(this.record, 'utf8')) as Recorded[]) : [];
  }
}

/** As it may be shown. */
export const withoutPassword = (address: string): string => address.replace(/:\/\/[^/@]*@/, '://…@');
