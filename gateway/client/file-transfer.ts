/**
 * FileTransfer: files over HTTP, beside the connection, on the node that is in use.
 *
 * Guarantees: an upload that the node did not answer is sent again with its cid, so it is stored once; a download is the whole file, or
 * an error: its bytes are counted.
 * Does not: keep uploads over the end of the process, or read a download into pieces: a file is at most some 10 MB.
 */
import { newId } from '../../system/ids.ts';
import type { WireError, WireFile } from '../client-protocol.ts';
import { ChatError, toChatError } from './chat-error.ts';
import { backoffMs, type Timing } from './timing.ts';

export interface Access {
  readonly url: string;
  readonly token: string;
}

export interface FileTransferDeps {
  /** Rejects with a ChatError when there is no node to speak to. */
  readonly access: () => Promise<Access>;
  readonly timing: Timing;
}

export interface Upload {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly replyTo?: number;
  readonly cid?: string;
}

/** The entry of an uploaded file, as far as its sender needs it. */
export interface UploadedFile {
  readonly room: string;
  readonly seq: number;
  readonly at: number;
  readonly file?: WireFile;
  readonly dup?: true;
}

export interface DownloadedFile {
  readonly bytes: Uint8Array;
  readonly type: string;
}

const triesMax = 5;
const transferTimeoutMs = 120_000;

export class FileTransfer {
  private readonly deps: FileTransferDeps;

  constructor(deps: FileTransferDeps) {
    this.deps = deps;
  }

  upload(room: string, { name, bytes, replyTo, cid = newId() }: Upload): Promise<UploadedFile> {
    return this.again(async ({ url, token }) => {
      const body = new FormData();
      body.set('cid', cid);
      if (replyTo !== undefined) body.set('replyTo', String(replyTo));
      body.set('file', new Blob([new Uint8Array(bytes)]), name);
      const response = await call(new URL(`/api/rooms/${encodeURIComponent(room)}/files`, url), token, { method: 'POST', body });
      return (await response.json()) as UploadedFile;
    });
  }

  download(id: string): Promise<DownloadedFile> {
    return this.again(async ({ url, token }) => {
      const response = await call(new URL(`/api/files/${encodeURIComponent(id)}`, url), token, {});
      const bytes = new Uint8Array(await response.arrayBuffer());
      const length = Number(response.headers.get('content-length') ?? bytes.length);
      if (bytes.length !== length) throw new ChatError('CONNECTION_LOST', 'the file did not come to its end', true);
      return { bytes, type: response.headers.get('content-type') ?? 'application/octet-stream' };
    });
  }

  private async again<T>(attempt: (access: Access) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(await this.deps.access());
      } catch (cause) {
        const error = cause instanceof ChatError ? cause : new ChatError('CONNECTION_LOST', 'the node did not answer', true);
        if (!error.retryable || tries >= triesMax) throw error;
        const delayMs = Math.max(error.retryAfterMs ?? 0, backoffMs(tries - 1, this.deps.timing));
        await new Promise<void>((resolve) => void this.deps.timing.after(delayMs, resolve));
      }
    }
  }
}

async function call(url: URL, token: string, init: RequestInit): Promise<Response> {
  const headers = { authorization: `Bearer ${token}` };
  const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(transferTimeoutMs) });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<WireError> & { readonly detail?: string };
  throw toChatError({ ...problem, message: problem.detail ?? `HTTP ${response.status}` });
}
