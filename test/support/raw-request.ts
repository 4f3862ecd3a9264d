/**
 * RawRequest: an HTTP request with any header, Host and Cookie included, which fetch would not send.
 */
import { request } from 'node:http';

export interface RawReply {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

export function rawRequest(
  url: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<RawReply> {
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method, path, agent: false, headers: { ...(body && { 'content-type': 'application/json' }), ...headers } },
      (answer) => {
        let text = '';
        answer.on('data', (part: Buffer) => {
          text += part.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}
