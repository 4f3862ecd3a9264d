/**
 * Frame codec: bytes to lines ended by CRLF, UTF-8, and back. Pure.
 *
 * Guarantees: the same frames however the bytes are cut into chunks; never throws on what comes in; work and memory grow with
 * the bytes that are there (at most twice as many are held), whatever was announced; nothing of a chunk is kept alive.
 * Does not: know what a line says. A lone CR or LF is content, an empty line is a line.
 */
import { isUtf8 } from 'node:buffer';

export type Frame =
  | { readonly type: 'line'; readonly text: string }
  /** A whole line that is no UTF-8. The lines after it are read as usual. */
  | { readonly type: 'garbage'; readonly bytes: number }
  /** The line under way is longer than `lineBytesMax`. The last frame: whatever follows is ignored, and the connection is to be closed. */
  | { readonly type: 'tooLong' };

const crlf = Buffer.from('\r\n');
const cr = 0x0d;
const lf = 0x0a;
const firstBytes = 64;
const nothing = Buffer.alloc(0);

export class FrameDecoder {
  /** Most bytes of a line without its end. May be changed between chunks; it counts from the next chunk on. */
  lineBytesMax: number;
  /** The beginning of a line: the first `#length` bytes. Doubled when full, given back with the end of the line. */
  #begun: Buffer = nothing;
  #length = 0;
  #isOver = false;

  constructor(lineBytesMax: number) {
    this.lineBytesMax = lineBytesMax;
  }

  /** Bytes of a line whose end has not come. */
  get waitingBytes(): number {
    return this.#length;
  }

  /** The lines that end in this chunk, in order. */
  push(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let from = 0;
    if (this.#length > 0 && this.#begun[this.#length - 1] === cr && chunk[0] === lf) {
      frames.push(this.#finish(this.#begun.subarray(0, this.#length - 1)));
      from = 1;
    }
    while (!this.#isOver) {
      const end = chunk.indexOf(crlf, from);
      if (end === -1) break;
      frames.push(this.#finish(this.#withBegun(chunk.subarray(from, end))));
      from = end + crlf.length;
    }
    if (!this.#isOver && from < chunk.length) {
      // A CR in last place may be half of the end.
      const contentBytes = this.#length + chunk.length - from - (chunk[chunk.length - 1] === cr ? 1 : 0);
      if (contentBytes > this.lineBytesMax) frames.push(this.#giveUp());
      else this.#keep(chunk.subarray(from));
    }
    return frames;
  }

  #withBegun(end: Buffer): Buffer {
    // Too long in any case: `#finish` refuses it by the length of this part alone, and nothing is copied.
    if (this.#length === 0 || end.length > this.lineBytesMax) return end;
    this.#keep(end);
    return this.#begun.subarray(0, this.#length);
  }

  #finish(line: Buffer): Frame {
    if (line.length > this.lineBytesMax) return this.#giveUp();
    const frame: Frame = isUtf8(line) ? { type: 'line', text: line.toString('utf8') } : { type: 'garbage', bytes: line.length };
    this.#forget();
    return frame;
  }

  #keep(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#begun.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(firstBytes, length, Math.min(2 * this.#begun.length, this.lineBytesMax + 1)));
      this.#begun.copy(grown, 0, 0, this.#length);
      this.#begun = grown;
    }
    bytes.copy(this.#begun, this.#length);
    this.#length = length;
  }

  #giveUp(): Frame {
    this.#isOver = true;
    this.#forget();
    return { type: 'tooLong' };
  }

  #forget(): void {
    this.#begun = nothing;
    this.#length = 0;
  }
}

/** One line with its end. The text must hold no CRLF: JSON never does, other text is to be checked before. */
export function encodeLine(text: string): Buffer {
  if (text.includes('\r\n')) throw new TypeError('a line cannot hold the end of a line');
  return Buffer.from(`${text}\r\n`, 'utf8');
}
