/**
 * FileDownload: one file over several answers: what came before a cut is kept, and the rest is asked for.
 *
 * Guarantees: parts of one version only are put together (If-Range by its ETag); a node that answers with the whole file begins anew.
 * Does not: ask again by itself; `take` rejects as long as something is missing.
 */
import { ChatError } from './chat-error.ts';

export class FileDownload {
  type = 'application/octet-stream';
  #parts: Uint8Array[] = [];
  #gotBytes = 0;
  #etag: string | undefined;

  /** For the next question: what is still missing. */
  headers(): Readonly<Record<string, string>> {
    if (this.#etag === undefined || this.#gotBytes === 0) return {};
    return { range: `bytes=${this.#gotBytes}-`, 'if-range': this.#etag };
  }

  /** Resolves when the file is whole. Rejects with CONNECTION_LOST when the answer was cut, and keeps what came. */
  async take(response: Response): Promise<Uint8Array> {
    if (response.status !== 206) this.#begin();
    this.type = response.headers.get('content-type') ?? this.type;
    this.#etag = response.headers.get('etag') ?? undefined;
    const total = totalOf(response);
    try {
      for await (const part of response.body ?? []) {
        this.#parts.push(part);
        this.#gotBytes += part.length;
      }
    } catch {
      throw lost(); // What came is kept.
    }
    if (total !== undefined && this.#gotBytes !== total) throw lost();
    return this.#whole();
  }

  #begin(): void {
    this.#parts = [];
    this.#gotBytes = 0;
  }

  #whole(): Uint8Array {
    const bytes = new Uint8Array(this.#gotBytes);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

const lost = (): ChatError => new ChatError('CONNECTION_LOST', 'the file did not come to its end', true);

/** Of the whole file. */
function totalOf({ status, headers }: Response): number | undefined {
  const text = status === 206 ? headers.get('content-range')?.split('/')[1] : headers.get('content-length');
  return text === null || text === undefined ? undefined : Number(text);
}
