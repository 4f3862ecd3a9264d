/**
 * Token command: `npm run token -- alice [--name "Alice A"] [--url U] [--expires 1h]` prints a token for a user.
 *
 * By the development endpoint of a running node; where there is none, signed with CHAT_JWT_SECRET or CHAT_JWT_SECRET_FILE.
 * With --expires only the secret is used, since the endpoint decides on the time itself.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isUserId } from '../../system/ids.ts';
import { createTokenSigner } from '../token.ts';
import { DevTokenError, defaultUrl, fetchDevToken } from './dev-token.ts';

const usage = 'usage: npm run token -- USER [--name "Full Name"] [--url http://127.0.0.1:3000] [--expires 1h]';
const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { name: { type: 'string' }, url: { type: 'string' }, expires: { type: 'string' } },
  });
  const [user] = positionals;
  if (user === undefined || positionals.length !== 1) throw new Error(usage);
  if (!isUserId(user)) throw new Error('USER must match [A-Za-z0-9_-]{1,64}');
  const lifetimeMs = durationMs(values.expires ?? '1h');
  const secret = readSecret();
  if (values.expires === undefined) {
    const url = values.url ?? defaultUrl();
    try {
      process.stdout.write(`${await fetchDevToken(url, user, values.name)}\n`);
      return;
    } catch (error) {
      if (!(error instanceof DevTokenError) || error.reason === 'refused') throw error;
      if (secret === undefined) throw new Error(`${error.message}\nor set CHAT_JWT_SECRET (or CHAT_JWT_SECRET_FILE) to sign one here`);
    }
  }
  if (secret === undefined) throw new Error('--expires needs CHAT_JWT_SECRET or CHAT_JWT_SECRET_FILE, to sign the token here');
  const { CHAT_JWT_ISSUER: issuer, CHAT_JWT_AUDIENCE: audience } = process.env;
  const signer = createTokenSigner({
    key: secret,
    lifetimeMs,
    clock: { wallMs: () => Date.now() },
    ...(issuer && { issuer }),
    ...(audience && { audience }),
  });
  process.stdout.write(`${signer.sign(user, values.name).token}\n`);
}

function readSecret(): string | undefined {
  const { CHAT_JWT_SECRET: secret, CHAT_JWT_SECRET_FILE: file } = process.env;
  if (secret) return secret;
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw new Error(`cannot read CHAT_JWT_SECRET_FILE ${file}`);
  }
}

function durationMs(text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const factor = unitMs[unit];
  if (count === undefined || factor === undefined || Number(count) === 0) throw new Error('--expires: a number and s, m, h or d, as in 1h');
  return Number(count) * factor;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
