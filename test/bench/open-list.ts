/**
 * OpenList: how long the first look takes after a start: the last page of a huge room, and the list of a user with many rooms.
 *
 * Every figure is one read in a new process; before it, the files are dropped from the system's cache where that is possible.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from './bench.ts';
import { listRooms } from './cold-data.ts';
import type { ColdRun } from './cold-run.ts';
import { BenchProcess } from './processes.ts';
import { type BenchResult, type Row, shown } from './result-table.ts';
import { spreadOf } from './stats.ts';

const goal = { bound: 'at most', value: 50 } as const;

export async function runOpen(options: BenchOptions): Promise<BenchResult> {
  const { runs, isCold, bytes } = await coldRuns('open', options);
  const read = runs.find(({ messagesRead }) => messagesRead > 0);
  if (read) throw new Error(`loading the actor read ${read.messagesRead} entries that are no control entries`);
  const millis = (what: string, of: (run: ColdRun) => number): Row => ({ what, unit: 'ms', spread: spreadOf(runs.map(of)) });
  return {
    bench: `open: a room of ${options.openEntries.toLocaleString('en')} entries, its last page, cold`,
    rows: [
      { ...millis('room:open: head, controls, page', ({ totalMs }) => totalMs), goal },
      ...worst(runs),
      millis("of it: the actor's load", ({ loadMs }) => loadMs),
      { what: 'control entries it reads', unit: '', spread: spreadOf(runs.map(({ controls }) => controls)) },
      millis('before: opening the database', ({ openDatabaseMs }) => openDatabaseMs),
    ],
    notes: [`the actor's load read no message in any run (counted); the store takes ${shown(bytes / 1e6)} MB`, cacheNote(isCold)],
  };
}

export async function runList(options: BenchOptions): Promise<BenchResult> {
  const { runs, isCold } = await coldRuns('list', options);
  return {
    bench: `list: room:list of a user with ${listRooms} rooms, cold`,
    rows: [
      { what: 'room:list', unit: 'ms', spread: spreadOf(runs.map(({ totalMs }) => totalMs)), goal },
      ...worst(runs),
      { what: 'before: opening the database', unit: 'ms', spread: spreadOf(runs.map(({ openDatabaseMs }) => openDatabaseMs)) },
    ],
    notes: [
      `each room has messages, every third an edit of the last one (checked); in the store of the ${options.openEntries.toLocaleString('en')} entries`,
      cacheNote(isCold),
    ],
  };
}

/** The goal is a promise to every user, so the slowest run must keep it too. */
function worst(runs: readonly ColdRun[]): Row[] {
  return [{ what: '  the slowest run', unit: 'ms', spread: spreadOf([Math.max(...runs.map(({ totalMs }) => totalMs))]), goal }];
}

const cacheNote = (isCold: boolean): string =>
  `a new process for each run; ${isCold ? "the files were dropped from the system's cache before each" : "the files may be in the system's cache (dd cannot drop them here)"}`;

async function coldRuns(name: 'open' | 'list', options: BenchOptions): Promise<{ runs: ColdRun[]; isCold: boolean; bytes: number }> {
  const data = { dir: join(options.folder, `cold-${options.openEntries}`), entries: options.openEntries };
  const maker = new BenchProcess('test/bench/cold-run.js', 'server', {
    onProgress: (line) => options.progress(`${name}  preparing: ${line}`),
  });
  await maker.call('prepare', data);
  await maker.stop();
  const runs: ColdRun[] = [];
  let isCold = true;
  for (let index = 0; index < options.coldRuns; index += 1) {
    isCold = dropFromCache(data.dir) && isCold;
    const child = new BenchProcess('test/bench/cold-run.js', 'server');
    const run = await child.call<ColdRun>(name, data);
    await child.stop();
    runs.push(run);
    options.progress(
      `${name}  run ${index + 1}/${options.coldRuns}: ${shown(run.totalMs)} ms (database opened in ${shown(run.openDatabaseMs)} ms)`,
    );
  }
  const bytes = readdirSync(data.dir).reduce((sum, file) => sum + statSync(join(data.dir, file)).size, 0);
  return { runs, isCold, bytes };
}

/** posix_fadvise through GNU dd: needs no rights. */
function dropFromCache(dir: string): boolean {
  return readdirSync(dir).every(
    (file) => spawnSync('dd', [`if=${join(dir, file)}`, 'iflag=nocache', 'count=0', 'status=none']).status === 0,
  );
}
