/**
 * OutsideService: a real HTTP server that stands in for the community service and the notification service, and can misbehave.
 *
 * Guarantees: nothing it holds outlives `stop`; every request is kept with its headers and body.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Request {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly body: unknown;
}

type Answerer = (request: Request, response: ServerResponse) => void;

export interface OutsideService {
  readonly url: string;
  readonly requests: Request[];
  /** What it does from now on. */
  behave(answerer: Answerer): void;
  stop(): Promise<void>;
}

export async function startOutsideService(answerer: Answerer = hangs): Promise<OutsideService> {
  const requests: Request[] = [];
  let now = answerer;
  const server = createServer((message, response) => {
    read(message).then(
      (body) => {
        const { method = '', url: path = '', headers } = message;
        const idempotencyKey = headers['idempotency-key'];
        const request: Request = { method, path, authorization: headers.authorization, idempotencyKey: idempotencyKey?.toString(), body };
        requests.push(request);
        now(request, response);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    behave(next) {
      now = next;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function read(message: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : (JSON.parse(text) as unknown);
}

// ---- what it may do ----

export const json =
  (body: unknown, status = 200): Answerer =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' }).end(JSON.stringify(body));
export const members = (...ids: readonly unknown[]): Answerer => json({ result: { members: ids } });
export const raw =
  (status: number, headers: Record<string, string>, body = ''): Answerer =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);
/** Takes the request and never answers. */
export const hangs: Answerer = () => {};
export const cuts: Answerer = (_request, response) => response.destroy();
/** A header, then a byte now and then, for ever. */
export const drips: Answerer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
};
/** No length, and no end. */
export const floods: Answerer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = '['.repeat(64 * 1024);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
};
/** By path; anything else is 404. */
export const routes =
  (table: Readonly<Record<string, Answerer>>): Answerer =>
  (request, response) =>
    (table[request.path] ?? raw(404, {}))(request, response);
