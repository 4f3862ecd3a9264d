/**
 * Frame codec: whatever the cuts, the same lines; bounded by what is there; hostile bytes are outcomes.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLine, type Frame, FrameDecoder } from '../../system/state/frame-codec.ts';

const mb = 1024 * 1024;
const line = (text: string): Frame => ({ type: 'line', text });
const tooLong: Frame = { type: 'tooLong' };

/** All frames of the bytes, cut after each of the given places. */
function framesOf(bytes: Buffer, cuts: readonly number[] = [], lineBytesMax = 1_000): Frame[] {
  const decoder = new FrameDecoder(lineBytesMax);
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return places.slice(1).flatMap((end, i) => decoder.push(bytes.subarray(places[i], end)));
}

/** What the bytes mean, said in another way: split at CRLF, from the left. */
function expectedFrames(bytes: Buffer): Frame[] {
  const parts = bytes.toString('latin1').split('\r\n').slice(0, -1);
  return parts.map((part) => {
    const raw = Buffer.from(part, 'latin1');
    try {
      return line(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw));
    } catch {
      return { type: 'garbage', bytes: raw.length };
    }
  });
}

const noise = fc.array(
  fc.oneof(
    fc
      .constantFrom('\r', '\n', '\r\n', '\r\r\n', '\n\r\n', '', 'a', '{"a":1}', 'é', '漢字', '😀', '\ufeff', '\0')
      .map((text) => Buffer.from(text)),
    fc.constantFrom([0xc3], [0xa9], [0xf0, 0x9f, 0x98], [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80]).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  ),
  { maxLength: 20 },
);

describe('decoding', () => {
  it.each<[string, string, readonly Frame[]]>([
    ['one line', 'a\r\n', [line('a')]],
    ['several lines in a chunk', 'a\r\nb\r\n', [line('a'), line('b')]],
    ['no line without an end', 'a', []],
    ['an empty line as a line', '\r\n', [line('')]],
    ['LF only as content, kept until a CRLF comes', 'a\nb\r\n', [line('a\nb')]],
    ['a lone CR as content', 'a\rb\r\r\n', [line('a\rb\r')]],
    ['a byte order mark as content', '\ufeffa\r\n', [line('\ufeffa')]],
  ])('gives %s', (_what, text, frames) => {
    expect(framesOf(Buffer.from(text))).toEqual(frames);
  });

  it('gives the same lines at every single cut, also through CRLF and through a character', () => {
    const bytes = Buffer.from('é\r\n\r\n漢\r字\n😀\r\r\n{"a":"\\r\\n"}\r\nrest');
    const whole = framesOf(bytes);
    expect(whole).toHaveLength(4);
    for (let cut = 0; cut <= bytes.length; cut += 1) expect(framesOf(bytes, [cut]), `cut at ${cut}`).toEqual(whole);
    expect(framesOf(bytes, [...bytes.keys()]), 'a byte at a time').toEqual(whole);
  });

  it('means the same whatever the bytes and the cuts', () => {
    fc.assert(
      fc.property(noise, fc.array(fc.nat(200), { maxLength: 30 }), (parts, places) => {
        const bytes = Buffer.concat(parts);
        const cuts = places.map((place) => place % (bytes.length + 1));
        expect(framesOf(bytes, cuts)).toEqual(expectedFrames(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  it('tells bytes that are no UTF-8 and reads on', () => {
    const half = Buffer.from('é').subarray(0, 1);
    expect(framesOf(Buffer.concat([half, Buffer.from('\r\nb\r\n')]))).toEqual([{ type: 'garbage', bytes: 1 }, line('b')]);
  });

  it('does not keep a chunk alive: what it was given may be overwritten', () => {
    const decoder = new FrameDecoder(100);
    const chunk = Buffer.from('abc');
    decoder.push(chunk);
    chunk.fill(0);
    expect(decoder.push(Buffer.from('\r\n'))).toEqual([line('abc')]);
  });
});

describe('the limit of a line', () => {
  it('takes the longest line and refuses one byte more, wherever it is cut', () => {
    const longest = Buffer.from(`${'x'.repeat(10)}\r\n`);
    const longer = Buffer.from(`${'x'.repeat(11)}\r\n`);
    for (let cut = 0; cut <= longest.length; cut += 1) expect(framesOf(longest, [cut], 10)).toEqual([line('x'.repeat(10))]);
    for (let cut = 0; cut <= longer.length; cut += 1) expect(framesOf(longer, [cut], 10), `cut at ${cut}`).toEqual([tooLong]);
    expect(framesOf(longer, [...longer.keys()], 10)).toEqual([tooLong]);
  });

  it('counts no CR that ends a chunk, but one that proves to be content', () => {
    expect(framesOf(Buffer.from(`${'x'.repeat(10)}\ry`), [11], 10)).toEqual([tooLong]);
    expect(framesOf(Buffer.from(`${'x'.repeat(9)}\r\r\n`), [10], 10)).toEqual([line(`${'x'.repeat(9)}\r`)]);
  });

  it('gives the lines before it, says it once, and ignores the rest', () => {
    const decoder = new FrameDecoder(4);
    expect(decoder.push(Buffer.from('ab\r\nabcde'))).toEqual([line('ab'), tooLong]);
    expect(decoder.push(Buffer.from('\r\nab\r\n'))).toEqual([]);
    expect(decoder.waitingBytes).toBe(0);
  });

  it('may be narrowed and widened between chunks', () => {
    const decoder = new FrameDecoder(2);
    decoder.push(Buffer.from('ab'));
    decoder.lineBytesMax = 4;
    expect(decoder.push(Buffer.from('cd\r\n'))).toEqual([line('abcd')]);
    decoder.lineBytesMax = 3;
    expect(decoder.push(Buffer.from('abcd\r\n'))).toEqual([tooLong]);
  });

  it('is met by 10 MB without an end long before they are held', () => {
    const decoder = new FrameDecoder(mb);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let held = 0;
    const frames: Frame[] = [];
    for (let sent = 0; sent < 10 * mb; sent += chunk.length) {
      frames.push(...decoder.push(chunk));
      held = Math.max(held, decoder.waitingBytes);
    }
    expect(frames).toEqual([tooLong]);
    expect(held).toBeLessThanOrEqual(mb + 1);
  });

  it('is met at once by one chunk that is longer, without a copy of it', () => {
    expect(new FrameDecoder(1_000).push(Buffer.alloc(10 * mb, 'x'))).toEqual([tooLong]);
  });
});

describe('work', () => {
  it('is proportional to the bytes: 1 MB in chunks of a byte copies each byte a few times only', () => {
    const decoder = new FrameDecoder(mb);
    let copied = 0;
    const copy = Buffer.prototype.copy;
    Buffer.prototype.copy = function (this: Buffer, ...given: Parameters<typeof copy>) {
      const bytes = copy.apply(this, given);
      copied += bytes;
      return bytes;
    };
    try {
      const byte = Buffer.from('x');
      for (let i = 0; i < mb; i += 1) decoder.push(byte);
    } finally {
      Buffer.prototype.copy = copy;
    }
    expect(decoder.push(Buffer.from('\r\n'))).toEqual([line('x'.repeat(mb))]);
    expect(copied).toBeGreaterThanOrEqual(mb);
    expect(copied).toBeLessThan(4 * mb);
  });
});

describe('encoding', () => {
  it('is undone by decoding, for every text that holds no CRLF', () => {
    const text = fc.string({ unit: 'grapheme' }).map((given) => given.replaceAll('\r\n', ''));
    fc.assert(
      fc.property(text, (given) => {
        expect(framesOf(encodeLine(given))).toEqual([line(given)]);
      }),
    );
  });

  it('refuses a text that would become two lines', () => {
    expect(() => encodeLine('a\r\nb')).toThrow(TypeError);
  });
});
