/**
 * Revoke: `npm run revoke -- --user alice | --jti ID | --everybody [--url U] [--token T]` ends tokens before their time.
 *
 * Asks a running node with an operator's token: the given one, else one it signs with the node's own secret.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import { signHere } from './token-signing.ts';

const usage = 'usage: npm run revoke -- --user alice | --jti ID | --everybody [--url http://127.0.0.1:3000] [--token T]';
const operatorLifetimeS = 60;
const requestTimeoutMs = 5_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      user: { type: 'string' },
      jti: { type: 'string' },
      everybody: { type: 'boolean' },
      url: { type: 'string' },
      token: { type: 'string' },
    },
  });
  const { user, jti, everybody } = values;
  const whom = [user !== undefined && { user }, jti !== undefined && { jti }, everybody && { everybody }].filter((given) => given);
  if (whom.length !== 1) throw new Error(usage);
  const config = loadConfig();
  const token = values.token ?? (await signHere(config, { user: 'operator', roles: ['operator'] }, operatorLifetimeS, true));
  if (token === undefined) throw new Error("this node verifies tokens with a public key; give an operator's token with --token");
  const url = values.url ?? `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const signal = AbortSignal.timeout(requestTimeoutMs);
  const response = await fetch(new URL('/api/revocations', url), { method: 'POST', headers, signal, body: JSON.stringify(whom[0]) }).catch(
    () => {
      throw new Error(`cannot reach ${url}; is the node running? npm start`);
    },
  );
  const body = (await response.json().catch(() => ({}))) as { detail?: unknown; endsAt?: unknown };
  if (!response.ok) throw new Error(`${url} refused: ${typeof body.detail === 'string' ? body.detail : `HTTP ${response.status}`}`);
  process.stdout.write(`revoked until ${String(body.endsAt)}; a token that is issued from now on is welcome\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
