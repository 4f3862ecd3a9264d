/**
 * Token: `npm run token -- alice [--name "Alice A"] [--url U] [--expires 1h]` prints a token for a user.
 *
 * Asks a running node in development mode; where there is none, signs with CHAT_JWT_SECRET or CHAT_JWT_SECRET_FILE.
 * With --expires it always signs, since the node's endpoint decides on the time itself. stdout holds the token only.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { isUserId } from './ids.ts';
import { type Subject, signHere } from './token-signing.ts';

const usage = 'usage: npm run token -- USER [--name "Full Name"] [--url http://127.0.0.1:3000] [--expires 1h]';
const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const requestTimeoutMs = 5_000;
const lifetimeDefault = '1h';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string' }, url: { type: 'string' }, expires: { type: 'string' } },
  });
  const [user] = positionals;
  if (user === undefined || positionals.length !== 1) throw new Error(usage);
  if (!isUserId(user)) throw new Error('USER must match [A-Za-z0-9_-]{1,64}');
  const lifetimeS = seconds(values.expires ?? lifetimeDefault);
  const subject: Subject = { user, ...(values.name !== undefined && { name: values.name }) };
  if (values.expires !== undefined) return print(await sign(subject, lifetimeS, '--expires signs the token here'));
  const url = values.url ?? (await defaultUrl());
  const answer = await ask(url, subject);
  print('token' in answer ? answer.token : await sign(subject, lifetimeS, answer.failure));
}

const print = (token: string): void => void process.stdout.write(`${token}\n`);

async function defaultUrl(): Promise<string> {
  const { host, port } = loadConfig();
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** failure: there is no node, or it gives no tokens. Throws when it refused this one. */
async function ask(url: string, subject: Subject): Promise<{ readonly token: string } | { readonly failure: string }> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(requestTimeoutMs);
    const headers = { 'content-type': 'application/json' };
    response = await fetch(new URL('/api/dev/token', url), { method: 'POST', headers, signal, body: JSON.stringify(subject) });
  } catch {
    return { failure: `cannot reach ${url}; is the node running? npm start` };
  }
  if (response.status === 404) return { failure: `${url} is not in development mode and gives no tokens` };
  const body: unknown = await response.json().catch(() => undefined);
  const { token, detail } = (typeof body === 'object' && body !== null ? body : {}) as { token?: unknown; detail?: unknown };
  if (response.ok && typeof token === 'string') return { token };
  throw new Error(`${url} refused: ${typeof detail === 'string' ? detail : `HTTP ${response.status}`}`);
}

/** The same claims as the node's own development tokens. */
async function sign(subject: Subject, lifetimeS: number, why: string): Promise<string> {
  const config = loadConfig();
  if (config.jwt.kind === 'secret' && lifetimeS > config.tokenLifetimeMaxS)
    throw new Error(`--expires: the node refuses tokens of more than ${config.tokenLifetimeMaxS} s`);
  const token = await signHere(config, subject, lifetimeS);
  if (token === undefined) throw new Error(`${why}\nTo sign one here, set CHAT_JWT_SECRET or CHAT_JWT_SECRET_FILE as the node has it.`);
  return token;
}

function seconds(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = unitSeconds[unit];
  if (count === undefined || factor === undefined || Number(count) === 0) throw new Error('--expires: a number and s, m, h or d, as in 1h');
  return Number(count) * factor;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
