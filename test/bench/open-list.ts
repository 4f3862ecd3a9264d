/**
 * OpenList: how long the first look takes after a start: the last page of a huge room, and the list of a user with many rooms.
 *
 * Every figure is one read in a new process: as after a restart of the node, and (files dropped from the system's cache) of the machine.
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

interface ColdRuns {
  /** The files may be in the system's cache, as after a restart of the node. */
  readonly restarted: readonly ColdRun[];
  /** The files are not, as after a restart of the machine. Empty where they cannot be dropped. */
  readonly rebooted: readonly ColdRun[];
  readonly bytes: number;
}

export async function runOpen(options: BenchOptions): Promise<BenchResult> {
  const runs = await coldRuns('open', options);
  const all = [...runs.restarted, ...runs.rebooted];
  const read = all.find(({ messagesRead }) => messagesRead > 0);
  if (read) throw new Error(`loading the actor read ${read.messagesRead} entries that are no control entries`);
  return {
    bench: `open: a room of ${options.openEntries.toLocaleString('en')} entries, its last page of 50, cold`,
    rows: [
      ...totals('room:open', runs),
      { what: "of it: the actor's load (head, controls)", unit: 'ms', spread: spreadOf(runs.restarted.map(({ loadMs }) => loadMs)) },
      { what: 'control entries the load reads', unit: '', spread: spreadOf(all.map(({ controls }) => controls)) },
      {
        what: 'messages the load reads',
        unit: '',
        spread: spreadOf(all.map(({ messagesRead }) => messagesRead)),
        goal: { bound: 'at most', value: 0 },
      },
      { what: 'before it: opening the database', unit: 'ms', spread: spreadOf(all.map(({ openDatabaseMs }) => openDatabaseMs)) },
    ],
    notes: [`every run a new process; the store takes ${shown(runs.bytes / 1e6)} MB`, ...cacheNote(runs)],
  };
}

export async function runList(options: BenchOptions): Promise<BenchResult> {
  const runs = await coldRuns('list', options);
  return {
    bench: `list: room:list of a user with ${listRooms} rooms, cold`,
    rows: [
      ...totals('room:list', runs),
      {
        what: 'before it: opening the database',
        unit: 'ms',
        spread: spreadOf([...runs.restarted, ...runs.rebooted].map(({ openDatabaseMs }) => openDatabaseMs)),
      },
    ],
    notes: [
      `every run a new process; the rooms lie in the store of the ${options.openEntries.toLocaleString('en')} entries (${shown(runs.bytes / 1e6)} MB)`,
      'each room has 20 messages, every third room an edit of the last one; all 500 last messages are checked',
      ...cacheNote(runs),
    ],
  };
}

/** The goal is a promise to every user, so the slowest run must keep it too. */
function totals(what: string, { restarted, rebooted }: ColdRuns): Row[] {
  const rows = (runs: readonly ColdRun[], when: string): Row[] => {
    const times = runs.map(({ totalMs }) => totalMs);
    if (times.length === 0) return [];
    return [
      { what: `${what}, ${when}`, unit: 'ms', spread: spreadOf(times), goal },
      { what: '  its slowest run', unit: 'ms', spread: spreadOf([Math.max(...times)]), goal },
      { what: '  its CPU', unit: 'ms', spread: spreadOf(runs.map(({ cpuMs }) => cpuMs)) },
    ];
  };
  return [...rows(restarted, 'node restarted'), ...rows(rebooted, 'machine restarted (files not cached)')];
}

const cacheNote = ({ rebooted }: ColdRuns): string[] =>
  rebooted.length > 0 ? [] : ["the files could not be dropped from the system's cache here (GNU dd)"];

async function coldRuns(name: 'open' | 'list', options: BenchOptions): Promise<ColdRuns> {
  const data = { dir: join(options.folder, `cold-${options.openEntries}`), entries: options.openEntries };
  const maker = new BenchProcess('test/bench/cold-run.js', 'alone', {
    onProgress: (line) => options.progress(`${name}  preparing: ${line}`),
  });
  await maker.call('prepare', data);
  await maker.stop();
  const once = async (): Promise<ColdRun> => {
    const child = new BenchProcess('test/bench/cold-run.js', 'alone');
    const run = await child.call<ColdRun>(name, data);
    await child.stop();
    return run;
  };
  const say = (index: number, when: string, run: ColdRun): void =>
    options.progress(
      `${name}  run ${index + 1}/${options.coldRuns} ${when}: ${shown(run.totalMs)} ms (database opened in ${shown(run.openDatabaseMs)} ms)`,
    );
  await once(); // Not counted: LevelDB tidies up after the writing.
  const [restarted, rebooted]: [ColdRun[], ColdRun[]] = [[], []];
  for (let index = 0; index < options.coldRuns; index += 1) {
    if (dropFromCache(data.dir)) {
      rebooted.push(await once());
      say(index, 'machine restarted', rebooted.at(-1) as ColdRun);
    }
    restarted.push(await once());
    say(index, 'node restarted   ', restarted.at(-1) as ColdRun);
  }
  const bytes = readdirSync(data.dir).reduce((sum, file) => sum + statSync(join(data.dir, file)).size, 0);
  return { restarted, rebooted, bytes };
}

/** posix_fadvise through GNU dd: needs no rights. */
function dropFromCache(dir: string): boolean {
  return readdirSync(dir).every(
    (file) => spawnSync('dd', [`if=${join(dir, file)}`, 'iflag=nocache', 'count=0', 'status=none']).status === 0,
  );
}
