/**
 * FileKind: what an upload is, by its first bytes and nothing else.
 *
 * Guarantees: a type is told only when it is on the list below: formats that no browser runs. Whatever else it may be (HTML, SVG, XML,
 * scripts, programs, plain text, which has no mark) is `application/octet-stream`, and everything is served as a download.
 * Does not: look further than the first 64 KiB: a file may be two things at once, so its type is a hint for display.
 */
import { Transform, type TransformCallback } from 'node:stream';
import { fileTypeFromBuffer } from 'file-type';

/** A picture's colour profile may come before what says that it is one. */
const sampleBytes = 65_536;
export const unknownKind = 'application/octet-stream';

const kinds: ReadonlySet<string> = new Set([
  'image/png',
  'image/apng',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/bmp',
  'image/tiff',
  'audio/mpeg',
  'audio/mp4',
  'audio/x-m4a',
  'audio/ogg',
  'audio/wav',
  'audio/flac',
  'audio/aac',
  'video/mp4',
  'video/webm',
  'video/quicktime',
  'video/matroska',
  'video/ogg',
  'application/pdf',
  'application/zip',
  'application/gzip',
  'application/x-7z-compressed',
  'application/zstd',
  'application/epub+zip',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.openxmlformats-officedocument.presentationml.presentation',
]);

/** Passes everything on and keeps the first bytes. */
export class FirstBytes extends Transform {
  #sample = Buffer.alloc(0);

  override _transform(part: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#sample.length < sampleBytes)
      this.#sample = Buffer.concat([this.#sample, part.subarray(0, sampleBytes - this.#sample.length)]);
    done(null, part);
  }

  async kind(): Promise<string> {
    try {
      const mime = (await fileTypeFromBuffer(this.#sample))?.mime ?? unknownKind;
      return kinds.has(mime) ? mime : unknownKind;
    } catch {
      return unknownKind; // Bytes made to break a reader are no known kind either.
    }
  }
}
