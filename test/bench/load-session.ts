/**
 * LoadSession: how any load becomes a user of either arm: a token, a connection, a room.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import type { ArmName } from './arms.ts';
import { LoadClient, type LoadHandlers } from './load-client.ts';

export interface LoadTarget {
  readonly arm: ArmName;
  readonly port: number;
  /** Signs the tokens. */
  readonly secret: string;
}

/** A key object signs fifty times faster than the text it is made of. */
const keys = new Map<string, KeyObject>();

/** HS256, as CHAT_JWT_SECRET is verified by default. */
function tokenFor(user: string, secret: string): string {
  let key = keys.get(secret);
  if (!key) keys.set(secret, (key = createSecretKey(Buffer.from(secret))));
  return jwt.sign({ sub: user, name: user }, key, { expiresIn: '2h' });
}

export function connectAs(user: string, { arm, port, secret }: LoadTarget, handlers: LoadHandlers): Promise<LoadClient> {
  return LoadClient.connect(port, arm === 'bare' ? undefined : tokenFor(user, secret), handlers);
}

/** The answer of a command that must succeed. */
export async function asked(client: LoadClient | undefined, event: string, body: unknown): Promise<Record<string, unknown>> {
  const answer = await client?.request<Record<string, unknown>>(event, body);
  if (answer?.['ok'] !== true) throw new Error(`${event} ${JSON.stringify(body)} was answered ${JSON.stringify(answer)}`);
  return answer;
}

/** From now on the client gets the room's messages. Resolves to the last seq before them. */
export async function openRoom(arm: ArmName, client: LoadClient, room: string): Promise<number> {
  if (arm === 'bare') return (await asked(client, 'join', { room }))['head'] as number;
  return (await asked(client, 'room:open', { room, limit: 1 }))['upTo'] as number;
}
