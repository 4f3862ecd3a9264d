/**
 * Uploads over HTTP, as a program makes them, and as nobody should: any bytes for a body, in any pace.
 */
import { request as httpRequest } from 'node:http';
import { tokenOf } from './gateway-fixtures.ts';

const bearerOf = (user: string): Record<string, string> => ({ authorization: `Bearer ${tokenOf(user)}` });

export interface UploadReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>> & { readonly file?: { readonly id: string } & Readonly<Record<string, unknown>> };
}

export interface Upload {
  readonly user?: string;
  readonly room?: string;
  readonly cid?: string;
  readonly replyTo?: string;
  readonly name?: string;
  readonly type?: string;
}

export async function uploadFile(url: string, bytes: Buffer | string, upload: Upload = {}): Promise<UploadReply> {
  const { user = 'ada', room = 'lobby', cid = 'c1', replyTo, name = 'a.bin', type = 'application/octet-stream' } = upload;
  const form = new FormData();
  form.set('cid', cid);
  if (replyTo !== undefined) form.set('replyTo', replyTo);
  form.set('file', new Blob([new Uint8Array(Buffer.from(bytes))], { type }), name);
  const reply = await fetch(`${url}/api/rooms/${room}/files`, { method: 'POST', headers: bearerOf(user), body: form });
  return { status: reply.status, headers: Object.fromEntries(reply.headers), body: (await reply.json()) as UploadReply['body'] };
}

export interface Downloaded {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

export async function downloadFile(
  url: string,
  id: string,
  user = 'ada',
  method = 'GET',
  headers: Readonly<Record<string, string>> = {},
): Promise<Downloaded> {
  const reply = await fetch(`${url}/api/files/${id}`, { method, headers: { ...headers, ...bearerOf(user) } });
  return { status: reply.status, headers: Object.fromEntries(reply.headers), bytes: Buffer.from(await reply.arrayBuffer()) };
}

export const boundary = 'b0undary';
export const field = (name: string, value: string): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
export const filePart = (bytes: string, name = 'a.bin', more = ''): string =>
  `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n${more}\r\n${bytes}\r\n`;
export const end = `--${boundary}--\r\n`;

export interface RawUpload {
  /** Told: the connection is there. Writes what it likes; ends the request, or not. */
  readonly send: (write: (part: string | Buffer) => boolean, end: () => void, cut: () => void) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly path?: string;
}

/** The answer, or `cut` when the connection ended without one. */
export function rawUpload(
  url: string,
  { send, headers, user = 'ada', path = '/api/rooms/lobby/files' }: RawUpload,
): Promise<UploadReply | 'cut'> {
  return new Promise((resolve) => {
    const call = httpRequest(`${url}${path}`, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}`, ...bearerOf(user), ...headers },
    });
    call.on('response', (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => {
        text += part.toString();
      });
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text.startsWith('{') ? JSON.parse(text) : {} });
        call.destroy();
      });
    });
    call.on('error', () => resolve('cut'));
    call.on('close', () => resolve('cut'));
    void send(
      (part) => call.write(part),
      () => call.end(),
      () => call.destroy(),
    );
  });
}
