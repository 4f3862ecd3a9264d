/**
 * CommandLoad: the commands of all clients together that were taken and are not answered yet, with a bound on their number and text.
 *
 * Guarantees: a full node answers BUSY before a command is taken, and nothing that was taken is lost. Who has few waiting is served for longer
 * than who has many: one connection gets at most a sixteenth of what is free, so that some that flood leave room for all others.
 * Does not: know users or rates (admission and the connection's own limits do), or close anything.
 */
import type { ClientCommand } from '../actors/client-command.ts';
import type { Supervision } from '../system/supervision.ts';

/** Of texts and ids, in characters. What a command costs beside them (measured: 1 kB) is bounded by the number. */
export const commandCharsMax = 16_000_000;
/**
 * Of the heap's limit, for each command that waits. Measured with a heap of 256 MB and 10,000 clients who send more than it can do: with 10,000 waiting a
 * third of the core went into collecting what waits, and answers came 9 s late; with a quarter of that, 3 s.
 */
const heapBytesEach = 128 * 1024;

/** How many commands may wait: as many as is set, and no more than a heap of this limit can hold without suffering. */
export const commandsMaxOf = (setting: number, heapLimitBytes: number): number =>
  Math.max(1, Math.min(setting, Math.floor(heapLimitBytes / heapBytesEach)));

/** Of what is free: what one connection may have waiting. */
const shareOfFree = 1 / 16;
const highRatio = 0.8;
/** Below it a line tells of the next time. */
const lowRatio = 0.5;

/** What one connection has waiting. */
export interface CommandsHeld {
  readonly commands: number;
  readonly chars: number;
}

export class CommandLoad {
  readonly #commandsMax: number;
  readonly #supervision: Pick<Supervision, 'emit'>;
  #commands = 0;
  #chars = 0;
  #isHigh = false;

  constructor(commandsMax: number, supervision: Pick<Supervision, 'emit'>) {
    this.#commandsMax = commandsMax;
    this.#supervision = supervision;
  }

  get commands(): number {
    return this.#commands;
  }

  get chars(): number {
    return this.#chars;
  }

  /** false: not now. Nothing was counted. */
  take(chars: number, held: CommandsHeld): boolean {
    const freeChars = commandCharsMax - this.#chars;
    if (held.commands >= (this.#commandsMax - this.#commands) * shareOfFree) return this.#refused();
    if (chars > freeChars || held.chars >= freeChars * shareOfFree) return this.#refused();
    this.#commands += 1;
    this.#chars += chars;
    if (!this.#isHigh && this.#ratio() >= highRatio) this.#tellHigh();
    return true;
  }

  give({ commands, chars }: CommandsHeld): void {
    this.#commands -= commands;
    this.#chars -= chars;
    if (this.#isHigh && this.#ratio() < lowRatio) this.#isHigh = false;
  }

  #refused(): false {
    if (!this.#isHigh && this.#ratio() >= lowRatio) this.#tellHigh();
    return false;
  }

  #ratio(): number {
    return Math.max(this.#commands / this.#commandsMax, this.#chars / commandCharsMax);
  }

  #tellHigh(): void {
    this.#isHigh = true;
    this.#supervision.emit({
      ev: 'mailbox.high',
      path: '/gateway/commands',
      kind: 'commands',
      mailbox: this.#commands,
      about: { chars: this.#chars },
    });
  }
}

/** What a command holds beside a fixed cost. */
export function charsOf(command: ClientCommand): number {
  if ('text' in command) return command.text.length;
  if (command.type === 'room.create') return charsOfAll(command.members);
  if (command.type === 'presence.watch') return charsOfAll(command.users);
  return 0;
}

function charsOfAll(texts: readonly string[]): number {
  let chars = 0;
  for (const text of texts) chars += text.length;
  return chars;
}
