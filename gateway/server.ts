/**
 * Gateway server: HTTP and socket.io on one port. (Interface first; the body follows.)
 */
import type { Answer, ClientCommand } from '../actors/client-command.ts';
import type { ClientSink } from '../actors/client-sink.ts';
import type { Clock } from '../system/clock.ts';
import type { Refusal } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';

export interface Identity {
  readonly userId: UserId;
  readonly name: string;
  readonly roles: readonly string[];
  readonly jti?: string;
  readonly expiresAtMs: number;
}
export interface SessionHandle {
  command(command: ClientCommand, reply: (answer: Answer) => void): 'accepted' | 'refused';
  disconnected(): void;
}
export type OpenSession = (identity: Identity, sink: ClientSink) => SessionHandle | Refusal;
export interface TokenVerifier {
  verify(token: string): Identity | Refusal;
}
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}
export interface GatewayConfig {
  readonly host: string;
  readonly port: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly textBytesMax: number;
  readonly outboxBytesMax: number;
  readonly outboxFramesMax: number;
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
  readonly connectionsMax: number;
  readonly origins: readonly string[];
}
export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly openSession: OpenSession;
  readonly verifier: TokenVerifier;
  readonly readiness: () => Readiness;
  readonly clock: Clock;
  readonly log: Logger;
}
export interface GatewayServer {
  readonly url: string;
  readonly port: number;
  connections(): number;
  stopAccepting(): void;
  close(deadlineMs: number): Promise<void>;
}
export declare function startGatewayServer(options: GatewayOptions): Promise<GatewayServer>;
