/**
 * FileTransfer: files over HTTP, beside the connection, on the node that is in use.
 *
 * Guarantees: an upload that the node did not answer is sent again with its cid, so it is stored once; a download is the whole file, or
 * an error: its bytes are counted, and one that was cut goes on where it was.
 * Does not: keep uploads over the end of the process, or give a download in pieces: a file is at most some 10 MB.
 */
import { newId } from '../../system/ids.ts';
import type { WireError, WireFile } from '../client-protocol.ts';
import { ChatError, toChatError } from './chat-error.ts';
import { FileDownload } from './file-download.ts';
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
/** A node that says to come again later than this (the bytes of a day are used up) is not waited for: whoever asked decides. */
const waitMaxMs = 30_000;
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
    const file = new FileDownload();
    return this.again(async ({ url, token }) => {
      const response = await call(new URL(`/api/files/${encodeURIComponent(id)}`, url), token, { headers: file.headers() });
      return { bytes: await file.take(response), type: file.type };
    });
  }

  private async again<T>(attempt: (access: Access) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(await this.deps.access());
      } catch (cause) {
        const error = cause instanceof ChatError ? cause : new ChatError('CONNECTION_LOST', 'the node did not answer', true);
        if (!error.retryable || tries >= triesMax || (error.retryAfterMs ?? 0) > waitMaxMs) throw error;
        const delayMs = Math.max(error.retryAfterMs ?? 0, backoffMs(tries - 1, this.deps.timing));
        await new Promise<void>((resolve) => void this.deps.timing.after(delayMs, resolve));
      }
    }
  }
}

async function call(
  url: URL,
  token: string,
  init: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> },
): Promise<Response> {
  const headers = { ...init.headers, authorization: `Bearer ${token}` };
  const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(transferTimeoutMs) });
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Partial<WireError> & { readonly detail?: string };
  throw toChatError({ ...problem, message: problem.detail ?? `HTTP ${response.status}` });
}
