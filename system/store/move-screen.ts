/**
 * MoveScreen: what a move shows of its progress: rooms, entries, per cent and rate, in place on a terminal, else a line now and then.
 */
import type { Clock } from '../clock.ts';
import type { MovePhase, MoveProgress } from './move.ts';

export interface MoveScreenDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly isTerminal: boolean;
  readonly write: (text: string) => void;
}

const terminalEveryMs = 200;
const lineEveryMs = 2_000;

export class MoveScreen {
  readonly #deps: MoveScreenDeps;
  #phase: MovePhase | undefined;
  #phaseAtMs = 0;
  /** Entries that were done when the phase began: they are no part of its rate. */
  #doneBefore = 0;
  #shownMs = 0;
  #last: string | undefined;

  constructor(deps: MoveScreenDeps) {
    this.#deps = deps;
  }

  show(progress: MoveProgress): void {
    const { clock, isTerminal, write } = this.#deps;
    const nowMs = clock.nowMs();
    if (progress.phase !== this.#phase) {
      this.end();
      this.#phase = progress.phase;
      this.#phaseAtMs = nowMs;
      this.#doneBefore = progress.entries;
      this.#shownMs = nowMs;
    }
    this.#last = this.#line(progress, nowMs);
    if (nowMs - this.#shownMs < (isTerminal ? terminalEveryMs : lineEveryMs)) return;
    this.#shownMs = nowMs;
    write(isTerminal ? `\r${this.#last}\x1b[K` : `${this.#last}\n`);
  }

  waiting(): void {
    this.#deps.write(`${this.#deps.isTerminal ? '\r\x1b[K' : ''}MongoDB does not answer; trying on\n`);
  }

  /** The last state of a phase, to stay. */
  end(): void {
    if (this.#last === undefined) return;
    this.#deps.write(`${this.#deps.isTerminal ? '\r\x1b[K' : ''}${this.#last}\n`);
    this.#last = undefined;
  }

  #line({ phase, rooms, roomsAll, entries, entriesAll }: MoveProgress, nowMs: number): string {
    const percent = entriesAll === 0 ? 100 : Math.floor((100 * entries) / entriesAll);
    const seconds = (nowMs - this.#phaseAtMs) / 1_000;
    const rate = seconds < 0.1 ? '' : `, ${Math.round((entries - this.#doneBefore) / seconds)} entries/s`;
    return `${phase.padEnd(9)} ${String(percent).padStart(3)} %  ${rooms}/${roomsAll} rooms, ${entries}/${entriesAll} entries${rate}`;
  }
}
