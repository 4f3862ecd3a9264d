/**
 * Services: what is kept of fetched programs, and what is ended, judged with small processes in place of servers.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keep } from '../services/cache-folder.ts';
import { launch, lives } from '../services/processes.ts';
import type { Service } from '../services/service.ts';
import { ServiceSet } from '../services/service-set.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'playhouse-services-'));
  process.env['PLAYHOUSE_CACHE'] = join(folder, 'cache');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the cache folder', () => {
  const make = async (work: string): Promise<string> => {
    mkdirSync(join(work, 'made'));
    writeFileSync(join(work, 'made', 'program'), 'whole');
    return join(work, 'made');
  };

  it('keeps what was made, once, and nothing of the making', async () => {
    await keep(folder, 'thing-1', make);
    await keep(folder, 'thing-1', () => Promise.reject(new Error('made again')));
    expect(readFileSync(join(folder, 'thing-1', 'program'), 'utf8')).toBe('whole');
    expect(readdirSync(folder)).toEqual(['thing-1']);
  });

  it('keeps nothing of a making that failed, and clears away what a killed one left', async () => {
    mkdirSync(join(folder, 'thing-1.part'));
    mkdirSync(join(folder, 'thing-1.999999999.part'));
    await expect(keep(folder, 'thing-1', () => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('leaves alone what another process is making, and is content when that was faster', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      mkdirSync(join(folder, `thing-1.${other.pid}.part`));
      await keep(folder, 'thing-1', async (work) => {
        mkdirSync(join(folder, 'thing-1'));
        writeFileSync(join(folder, 'thing-1', 'program'), 'faster');
        return make(work);
      });
      expect(readFileSync(join(folder, 'thing-1', 'program'), 'utf8')).toBe('faster');
      expect(readdirSync(folder).sort()).toEqual(['thing-1', `thing-1.${other.pid}.part`]);
    } finally {
      other.kill('SIGKILL');
    }
  });
});

describe('a set of services', () => {
  const script = 'setInterval(() => {}, 1000)';
  const standIn = (fail = false): Service => ({
    name: 'standin',
    variable: 'CHAT_STAND_IN_URL',
    environmentOf: (url) => ({ CHAT_STAND_IN_URL: url }),
    install: async () => {},
    async start(_cache, own, _options, _say, onLaunch) {
      const pid = launch('standin', process.execPath, ['-e', script], own);
      onLaunch(pid);
      if (fail) throw new Error('it never came up');
      return { pids: [pid], address: 'here', environment: this.environmentOf('here') };
    },
  });
  const options = { members: 1, kafka: '3.9' } as const;
  const said: string[] = [];
  const setOf = (): ServiceSet => new ServiceSet(join(folder, 'set'), (name, text) => said.push(`${name} ${text}`));
  const pidsOf = (): number[] =>
    (JSON.parse(readFileSync(join(folder, 'set', 'started.json'), 'utf8')) as { pids: number[] }[]).flatMap(({ pids }) => pids);

  it('starts each once, and another program ends it', async () => {
    expect(await setOf().use(standIn(), options, {})).toMatchObject({ origin: 'started', address: 'here' });
    expect(await setOf().use(standIn(), options, {})).toMatchObject({ origin: 'running', environment: { CHAT_STAND_IN_URL: 'here' } });
    const pids = pidsOf();
    expect(pids).toHaveLength(1);
    expect(await setOf().stop()).toEqual(['standin']);
    expect(pids.filter((pid) => lives(pid, folder))).toEqual([]);
    expect(readdirSync(join(folder, 'set'))).toEqual([]);
    expect(await setOf().stop()).toEqual([]);
  });

  it('uses the address it is given, hides its password, and ends nothing there', async () => {
    const inUse = await setOf().use(standIn(), options, { CHAT_STAND_IN_URL: 'redis://me:word@there:1' });
    expect(inUse).toEqual({
      name: 'standin',
      origin: 'given',
      address: 'redis://…@there:1',
      environment: { CHAT_STAND_IN_URL: 'redis://me:word@there:1' },
    });
    expect(await setOf().stop()).toEqual([]);
  });

  it('ends what it started when that does not come up', async () => {
    await expect(setOf().use(standIn(true), options, {})).rejects.toThrow('it never came up');
    expect(pidsOf()).toEqual([]);
    expect(readdirSync(join(folder, 'set'))).toEqual(['started.json']);
  });

  it('leaves a process alone whose number is in the record, but which runs elsewhere', async () => {
    const stranger = spawn(process.execPath, ['-e', script], { stdio: 'ignore', cwd: tmpdir() });
    try {
      await setOf().use(standIn(), options, {});
      const path = join(folder, 'set', 'started.json');
      const record = JSON.parse(readFileSync(path, 'utf8')) as { pids: number[] }[];
      for (const each of record) each.pids.push(stranger.pid as number);
      writeFileSync(path, JSON.stringify(record));
      await setOf().stop();
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      expect(existsSync(path)).toBe(false);
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});
