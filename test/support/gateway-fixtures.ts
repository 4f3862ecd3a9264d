/**
 * Small makers that the gateway's tests share: entries, tokens, a gateway on a free port, a session that records.
 */
import jwt from 'jsonwebtoken';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import type { ClientSink } from '../../actors/client-sink.ts';
import { type GatewayConfig, type GatewayOptions, type GatewayServer, type Identity, startGatewayServer } from '../../gateway/server.ts';
import { createTokenSigner, createTokenVerifier } from '../../gateway/token.ts';
import { systemClock } from '../../system/clock.ts';
import type { UserId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { Metrics } from '../../system/metrics.ts';
import type { Entry } from '../../system/store/entry.ts';
import { createSupervision } from '../../system/supervision.ts';

export function asEntry(fields: { readonly seq: number } & { readonly [Key in keyof Entry]?: unknown }): Entry {
  const entry = { n: fields.seq, kind: 'message', by: 'ada', at: 1_700_000_000_000, cid: `c${fields.seq}`, writer: 'node-1.x', ...fields };
  return entry as unknown as Entry;
}

export const testSecret = 'a-test-secret-of-more-than-32-bytes-0123456789';
export const tokens = { key: testSecret, clock: systemClock };
export const signer = createTokenSigner({ ...tokens, lifetimeMs: 3_600_000 });
export const tokenOf = (user: string, name?: string): string => signer.sign(user as UserId, name).token;

/** A token with claims of the test's own: roles, an odd exp. Lives a minute unless they say otherwise. */
export function tokenWith(user: string, claims: Readonly<Record<string, unknown>>): string {
  const nowS = Math.floor(systemClock.wallMs() / 1_000);
  return jwt.sign({ sub: user, iat: nowS, exp: nowS + 60, ...claims }, testSecret);
}

/** What the stub session saw of one connection. */
export interface Seen {
  readonly identity: Identity;
  readonly sink: ClientSink;
  readonly commands: ClientCommand[];
  gone: number;
}
export interface TestGateway {
  readonly server: GatewayServer;
  readonly url: string;
  readonly seen: Seen[];
  /** Lines of the log, newest last. */
  readonly lines: string[];
  /** Replace it to answer otherwise. Default: `done`. */
  answer: (command: ClientCommand, reply: (answer: Answer) => void) => 'accepted' | 'refused';
}

export const testGatewayConfig: GatewayConfig = {
  host: '127.0.0.1',
  port: 0,
  pingIntervalMs: 10_000,
  pingTimeoutMs: 8_000,
  textBytesMax: 16_384,
  outboxBytesMax: 1_000_000,
  outboxFramesMax: 1_000,
  slowConsumerMs: 30_000,
  commandsPerSecondMax: 1_000_000,
  commandsBurstMax: 1_000_000,
  commandsWaitingMax: 1_000_000,
  connectionsMax: 100,
  handshakesMax: 150,
  userConnectionsMax: 100,
  userCommandsPerSecondMax: 1_000_000,
  userCommandsBurstMax: 1_000_000,
  addressConnectionsMax: 100,
  addressCommandsPerSecondMax: 1_000_000,
  addressCommandsBurstMax: 1_000_000,
  addressHandshakesPerSecondMax: 1_000,
  addressHandshakesBurstMax: 1_000,
  addressBadTokensPerSecondMax: 1_000,
  addressBadTokensBurstMax: 1_000,
  origins: ['https://chat.example.org'],
  trustedProxies: [],
};

export async function startTestGateway(config: Partial<GatewayConfig> = {}, options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const seen: Seen[] = [];
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLogger({ level: 'info', base: {}, destination });
  const gateway: Omit<TestGateway, 'server' | 'url'> = {
    seen,
    lines,
    answer(_command, reply) {
      reply({ ok: true, result: { type: 'done' } });
      return 'accepted';
    },
  };
  const server = await startGatewayServer({
    config: { ...testGatewayConfig, ...config },
    openSession(identity, sink) {
      const mine: Seen = { identity, sink, commands: [], gone: 0 };
      seen.push(mine);
      return {
        command(command, reply) {
          mine.commands.push(command);
          return gateway.answer(command, reply);
        },
        disconnected() {
          mine.gone += 1;
        },
      };
    },
    verifier: createTokenVerifier(tokens),
    read: async () => ({ ok: true, result: { type: 'done' } }),
    readiness: () => ({ ready: true, reasons: [], parts: {} }),
    metrics: new Metrics(),
    operatorAccess: 'local',
    version: '0.0.0',
    clock: systemClock,
    supervision: createSupervision({ clock: systemClock, log }),
    log,
    ...options,
  });
  return Object.assign(gateway, { server, url: server.url });
}
