/**
 * Bench: what every benchmark is given, and what it gives back.
 */
import type { BenchResult } from './result-table.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Short, for trying out: fewer rounds, less data. Its figures prove nothing. */
  readonly isQuick: boolean;
  readonly hotWarmUpMs: number;
  readonly hotStepMs: number;
  readonly appendWarmUpMs: number;
  readonly appendMs: number;
  readonly coldRuns: number;
  readonly openEntries: number;
  /** For data. On the disk that is to be measured: a folder in memory would make fsync free. */
  readonly folder: string;
  readonly progress: (line: string) => void;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Rejects when it could not be run, or when what was delivered or stored is not what was expected. */
  readonly run: (options: BenchOptions) => Promise<BenchResult>;
}
