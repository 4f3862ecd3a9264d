/**
 * DevToken: asks a node in development mode for a token.
 *
 * Guarantees: what goes wrong comes as one line that says what to do.
 */

/** `reason` lets a caller choose another way: a node that has no such endpoint, or no node at all. */
export class DevTokenError extends Error {
  readonly reason: 'unreachable' | 'not-offered' | 'refused';
  constructor(reason: DevTokenError['reason'], message: string) {
    super(message);
    this.name = 'DevTokenError';
    this.reason = reason;
  }
}

const requestTimeoutMs = 5_000;

/** Where a node listens that was started in this environment. */
export function defaultUrl(): string {
  return `http://127.0.0.1:${process.env['CHAT_PORT'] ?? '3000'}`;
}

export async function fetchDevToken(url: string, user: string, name?: string): Promise<string> {
  const body = JSON.stringify({ user, ...(name !== undefined && { name }) });
  let response: Response;
  try {
    response = await fetch(new URL('/api/dev/token', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
  } catch {
    throw new DevTokenError('unreachable', `cannot reach ${url}; is the node running? npm start`);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  const token = field(answer, 'token');
  if (response.ok && token !== undefined) return token;
  if (response.status === 404) {
    throw new DevTokenError('not-offered', `${url} gives no development tokens; use --token or CHAT_TOKEN`);
  }
  throw new DevTokenError('refused', `${url} refused a token for ${user}: ${field(answer, 'detail') ?? `HTTP ${response.status}`}`);
}

function field(value: unknown, name: string): string | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof found === 'string' ? found : undefined;
}
