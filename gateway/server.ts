/**
 * Gateway server: HTTP and socket.io's clients on one port, by two doors, until the drain.
 *
 * Guarantees: every session that was opened is told once that its connection is gone; a handshake is bounded in bytes, time
 * and number; a port that cannot be had is a Fault of one clear line.
 * Does not: decide what a command means (the session), or when the node drains (the lifecycle).
 */

import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { getHeapStatistics } from 'node:v8';
import { reconnectInMs } from '../actors/drain-spread.ts';
import type { Clock } from '../system/clock.ts';
import type { ClusterLimits } from '../system/cluster/cluster-limits.ts';
import { refuse } from '../system/errors.ts';
import type { Supervision } from '../system/supervision.ts';
import { Admission, type AdmissionConfig } from './admission.ts';
import { createAddressRule } from './client-address.ts';
import { CommandLoad, commandsMaxOf } from './command-load.ts';
import type { DoorDeps, HandshakeRefusal } from './door.ts';
import { CommandMetrics, ConnectMetrics, newOutboxTally, tellOutboxes } from './edge-metrics.ts';
import { openEngineDoor } from './engine-door.ts';
import { isOriginAllowed, type OriginRule } from './handshake.ts';
import { createHttpApp, type HttpOptions } from './http.ts';
import { hostInUrl, listen } from './listen.ts';
import type { OutboxDeps } from './outbox.ts';
import { Reception, stopping } from './reception.ts';
import type { OpenSession } from './session-port.ts';
import { WebsocketDoor } from './websocket-door.ts';

export type { Readiness } from '../system/health.ts';
export type { Identity, OpenSession, SessionHandle, TokenVerifier } from './session-port.ts';

export interface GatewayConfig extends AdmissionConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly textBytesMax: number;
  readonly outboxBytesMax: number;
  readonly outboxFramesMax: number;
  readonly slowConsumerMs: number;
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
  readonly commandsWaitingMax: number;
  readonly origins: readonly string[];
  readonly trustedProxies: readonly string[];
}
export interface GatewayOptions extends Omit<HttpOptions, 'originRule' | 'userCommands' | 'admission' | 'addressOf'> {
  readonly config: GatewayConfig;
  readonly openSession: OpenSession;
  /** Of all nodes together; without them this node's alone. */
  readonly limits?: ClusterLimits | undefined;
  readonly supervision: Pick<Supervision, 'emit'>;
  readonly clock: Clock;
}
export interface GatewayServer {
  /** Where a client on this machine connects. */
  readonly url: string;
  readonly port: number;
  /** Sessions open now. */
  connections(): number;
  /** New handshakes are refused from now on; sessions and HTTP go on, so that health can be asked. Idempotent. */
  stopAccepting(): void;
  /**
   * Stops accepting, tells every client SERVER_DRAINING that was not told yet, waits until they are gone, at most `deadlineMs`,
   * then cuts what is left and frees the port. To be called when everything is answered that will be. Never rejects. Idempotent.
   */
  close(deadlineMs: number): Promise<void>;
}

/** A larger packet closes its connection (websocket 1009, polling 413) without a word: far above what a valid command needs. */
export const packetBytesMax = 65_536;
/** From the transport's opening to the token. Then it is closed: an idle engine connection costs memory before any identity. */
const connectTimeoutMs = 5_000;
/** For the refusal to arrive. Then the connection no longer counts as a handshake in progress. */
const refusedLingerMs = 500;

/** However small the bound of events is: a dozen rooms opened at once, each answered with its last page, must not look like an attack. */
const cutBytesMin = 2_000_000;

export async function startGatewayServer(options: GatewayOptions): Promise<GatewayServer> {
  const { config, clock, log } = options;
  const originRule: OriginRule = { origins: config.origins, allowLoopback: options.devTokens !== undefined };
  const admission = new Admission(config, clock, options.limits);
  const addressOf = createAddressRule(config.trustedProxies);
  const { app, server } = await createHttpApp({ ...options, originRule, admission, addressOf, userCommands: admission.userCommands });
  const tally = newOutboxTally();
  const outboxes: OutboxDeps = {
    limits: {
      bytesMax: config.outboxBytesMax,
      framesMax: config.outboxFramesMax,
      cutBytesMax: Math.max(4 * config.outboxBytesMax, cutBytesMin),
      slowConsumerMs: config.slowConsumerMs,
    },
    clock,
    log,
    supervision: options.supervision,
    tally,
  };
  const load = new CommandLoad(commandsMaxOf(config.commandsWaitingMax, getHeapStatistics().heap_size_limit), options.supervision);
  const connects = new ConnectMetrics(options.metrics);
  const reception = new Reception({
    admission,
    openSession: options.openSession,
    outboxes,
    connects,
    verifier: options.verifier,
    limits: config,
    clock,
    log,
    metrics: new CommandMetrics(options.metrics),
    load,
  });
  tellOutboxes(options.metrics, tally, reception.outboxes);
  options.metrics.read('playhouse_commands_waiting', () => load.commands);
  options.metrics.read('playhouse_command_chars_waiting', () => load.chars);
  options.metrics.read('playhouse_connections', () => reception.outboxes.size);
  options.metrics.read('playhouse_handshakes', () => admission.knocking);
  function refusalOfKnock(request: IncomingMessage): HandshakeRefusal | undefined {
    const refused = whyNot(request);
    if (refused) connects.count(refused.refusal.code);
    return refused;
  }
  function whyNot(request: IncomingMessage): HandshakeRefusal | undefined {
    if (!isOriginAllowed(request.headers, originRule)) return { status: 403, refusal: refuse('FORBIDDEN', 'this origin may not connect') };
    if (!reception.isAccepting) return { status: 503, refusal: stopping };
    return admission.refusalOfKnock(addressOf(request));
  }
  const doors: DoorDeps = {
    reception,
    admission,
    addressOf,
    refusalOfKnock,
    pings: config,
    packetBytesMax,
    connectTimeoutMs,
    refusedLingerMs,
    clock,
  };
  const loopbackPages = originRule.allowLoopback ? [/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/] : [];
  const engineDoor = openEngineDoor({ ...doors, server, origins: [...config.origins, ...loopbackPages] });
  const websocketDoor = new WebsocketDoor(doors);
  websocketDoor.attach(server, engineDoor.takeUpgrade);

  const tcpSockets = new Set<TcpSocket>();
  function forgetTcpSocket(this: TcpSocket): void {
    tcpSockets.delete(this);
  }
  server.on('connection', (socket) => {
    tcpSockets.add(socket);
    socket.on('close', forgetTcpSocket);
  });
  await listen(server, config).catch(async (fault: unknown) => {
    websocketDoor.close();
    engineDoor.close();
    await app.close();
    throw fault;
  });
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;

  async function close(deadlineMs: number): Promise<void> {
    reception.stopAccepting();
    const left = [...reception.outboxes];
    for (const [index, outbox] of left.entries()) {
      outbox.close('SERVER_DRAINING', reconnectInMs(index, left.length));
      outbox.answersEnd();
    }
    await reception.empty(deadlineMs);
    websocketDoor.close();
    engineDoor.close();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      // Upgraded connections are not HTTP's any more: closeAllConnections does not know them.
      for (const socket of tcpSockets) socket.destroy();
    });
    await app.close();
  }

  return {
    port,
    url: `http://${hostInUrl(config.host)}:${port}`,
    connections: () => reception.outboxes.size,
    stopAccepting() {
      reception.stopAccepting();
    },
    close(deadlineMs) {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}
