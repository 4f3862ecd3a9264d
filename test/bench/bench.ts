/**
 * Bench: what every benchmark is given, and what it gives back.
 */
import type { BenchResult } from './result-table.ts';

export interface BenchOptions {
  readonly rounds: number;
  /** Short, for trying out: fewer rounds, less data. Its figures prove nothing. */
  readonly isQuick: boolean;
  /** Between two steps of a climb. */
  readonly rateFactor: number;
  readonly hotWarmUpMs: number;
  readonly hotStepMs: number;
  readonly halfMs: number;
  readonly appendWarmUpMs: number;
  readonly appendMs: number;
  readonly coldRuns: number;
  readonly openEntries: number;
  /** Of the benchmark that weighs one. */
  readonly sessions: number;
  /** Of 100 members each, all in one small heap. */
  readonly crowdRooms: number;
  readonly crowdMs: number;
  readonly idleSessions: number;
  readonly stallWarmUpMs: number;
  readonly stallMs: number;
  readonly stormClients: number;
  readonly turnsMs: number;
  /** Each of the three loads of `cluster`. */
  readonly clusterMs: number;
  /** For data. On the disk that is to be measured: a folder in memory would make fsync free. */
  readonly folder: string;
  readonly progress: (line: string) => void;
  /** What one benchmark of a run found and another can use. */
  readonly found: { bareHot?: BareCapacity };
}

/** What bare socket.io can take of the hot rooms. */
export interface BareCapacity {
  readonly messagesPerSecond: number;
}

export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** Rejects when it could not be run, or when what was delivered or stored is not what was expected. */
  readonly run: (options: BenchOptions) => Promise<BenchResult>;
}

/** It needs what this machine does not have. No failure; named in the output. */
export class BenchSkipped extends Error {}
