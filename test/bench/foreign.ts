/**
 * Foreign: what a node pays for a record of a room that nobody reads on it, beside parsing such a record. Every node hears of every
 * room: this is what the others' traffic costs.
 */
import type { BenchOptions } from './bench.ts';
import type { ForeignRequest, ForeignRun } from './foreign-run.ts';
import { BenchProcess } from './processes.ts';
import type { BenchResult } from './result-table.ts';
import { ratiosOf, spreadOf } from './stats.ts';

const rooms = 10_000;
const records = 500;

export async function runForeign(options: BenchOptions): Promise<BenchResult> {
  const runs: ForeignRun[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const child = new BenchProcess('test/bench/foreign-run.js', 'alone');
    try {
      const request: ForeignRequest = { rooms, records, durationMs: options.turnsMs };
      runs.push(await child.call<ForeignRun>('run', request));
      options.progress(`foreign round ${round + 1}/${options.rounds} ${runs.at(-1)?.foreignUs.toFixed(2)} µs`);
    } finally {
      await child.stop();
    }
  }
  const figures = (of: (run: ForeignRun) => number): number[] => runs.map(of);
  const [foreign, parse, wanted] = [
    figures(({ foreignUs }) => foreignUs),
    figures(({ parseUs }) => parseUs),
    figures(({ wantedUs }) => wantedUs),
  ];
  return {
    bench: `foreign: records of rooms that have no actor here, beside ${rooms.toLocaleString('en')} that have`,
    rows: [
      {
        what: 'a record dropped by its key / JSON.parse of its value',
        unit: '×',
        spread: spreadOf(ratiosOf(foreign, parse)),
        goal: { bound: 'at most', value: 0.5 },
      },
      { what: 'dropped by its key', unit: 'µs', spread: spreadOf(foreign), goal: { bound: 'at most', value: 2 } },
      { what: 'JSON.parse alone', unit: 'µs', spread: spreadOf(parse) },
      { what: 'wanted: signature, schema, given to the room', unit: 'µs', spread: spreadOf(wanted) },
    ],
    notes: ['after the driver: what kafkajs spends on taking a record out of its batch is not in here, and is the same for all of them'],
  };
}
