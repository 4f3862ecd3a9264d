/**
 * Connection: one socket at a time to one of several nodes, and the coming back.
 *
 * Guarantees: nothing is written while not online, so socket.io's offline buffer stays empty (it would fire old commands
 * at reconnect); every request is answered, or rejects by its deadline or with the connection; a close code that
 * says "do not come back" is obeyed.
 * Does not: retry a request, or know what the events mean.
 */
import { io, type Socket } from 'socket.io-client';
import { type CloseCode, closeTable } from '../../system/errors.ts';
import { type CommandAnswers, type CommandEvent, type CommandPayloads, type HandshakeAuth, protocolVersion } from '../client-protocol.ts';
import { ChatError, type ChatErrorCode, toChatError } from './chat-error.ts';
import { backoffMs, type Timing } from './timing.ts';
import { TokenRefresh } from './token-refresh.ts';

export interface ConnectOptions {
  /** One node, or several: the first one to begin with, the next one after each failure. */
  readonly url?: string | readonly string[];
  /** Several nodes that are as good as each other: one drawn by chance to begin with, so that clients spread; the next one after each failure. */
  readonly urls?: readonly string[];
  /**
   * A function is asked again for every attempt, with the URL that is tried, and before the token in use ends: then the connection goes on
   * with the new one. With a string the connection is closed for good when the token ends.
   */
  readonly token: string | ((url: string) => Promise<string>);
}

/** idle: not asked to connect. offline: it will try again in `retryInMs`. closed: it will not, until `connect` is called again. */
export type ConnectionState = 'idle' | 'connecting' | 'online' | 'offline' | 'closed';
export interface StateChange {
  readonly state: ConnectionState;
  readonly reason: string;
  readonly code?: ChatErrorCode;
  readonly url?: string;
  readonly retryInMs?: number;
}

export interface ConnectionHandlers {
  onState(change: StateChange): void;
  onEvent(name: string, payload: unknown): void;
}

/** From the start of an attempt to the server's welcome. */
const attemptTimeoutMs = 10_000;
/** A connection that held this long counts as good: the back-off begins anew. */
const steadyMs = 5_000;
/** After `closing` the server disconnects; if it does not, we do. */
const closingGraceMs = 2_000;
const reconnectInMsMax = 60_000;
const refreshTimeoutMs = 10_000;

export type Answered<Answer> = (...outcome: [error: ChatError, answer: undefined] | [error: undefined, answer: Answer]) => void;
type Ack = (error: Error | null, answer?: unknown) => void;

export class Connection {
  private readonly timing: Timing;
  private readonly handlers: ConnectionHandlers;
  private options: ConnectOptions | undefined;
  private urls: readonly string[] = [];
  private urlIndex = 0;
  private socket: Socket | undefined;
  private current: ConnectionState = 'idle';
  /** Every attempt has its number; what comes from an older one is ignored. */
  private generation = 0;
  private attempts = 0;
  private onlineSinceMs = 0;
  private heardMs = 0;
  private closing: { readonly code: CloseCode; readonly reconnectInMs?: number } | undefined;
  private cancelTimer: () => void = () => {};
  private readonly refresh: TokenRefresh;

  constructor(timing: Timing, handlers: ConnectionHandlers) {
    this.timing = timing;
    this.handlers = handlers;
    this.refresh = new TokenRefresh({
      getToken: () => this.askToken(),
      send: (token, done) => this.ask('auth:refresh', { token }, refreshTimeoutMs, (...[error]) => done(error)),
      timing,
    });
  }

  get state(): ConnectionState {
    return this.current;
  }

  get isOnline(): boolean {
    // A node that said it closes takes nothing more: what is kept is sent after the coming back.
    return this.current === 'online' && this.socket?.connected === true && this.closing === undefined;
  }

  start(options: ConnectOptions): void {
    this.options = options;
    const { url, urls = [] } = options;
    const known = this.urls;
    this.urls = url === undefined ? urls : typeof url === 'string' ? [url] : url;
    if (this.urls.length === 0) throw new ChatError('INVALID', 'url or urls: at least one is needed', false);
    // Whoever connects again with the same list goes on with the node that was good.
    if (url === undefined && String(known) !== String(urls)) this.urlIndex = Math.floor(this.timing.random() * urls.length);
    this.urlIndex %= this.urls.length;
    this.attempts = 0;
    this.attempt();
  }

  /** The node that is in use or tried, and a token for it; undefined while there is none. */
  async access(): Promise<{ readonly url: string; readonly token: string } | undefined> {
    const url = this.urls[this.urlIndex];
    if (url === undefined || this.options === undefined || this.current === 'idle' || this.current === 'closed') return undefined;
    return { url, token: await this.askToken() };
  }

  /** Ends the connection and stops trying. */
  stop(state: 'idle' | 'closed', reason: string, code?: ChatErrorCode): void {
    this.drop();
    this.become({ state, reason, ...(code && { code }) });
  }

  /**
   * `done` is called exactly once. For an answer it is called in the turn of its packet, before the packets behind it are
   * looked at: a promise would be too late for the events that follow the answer in the same chunk of bytes.
   */
  ask<Event extends CommandEvent>(
    event: Event,
    payload: CommandPayloads[Event],
    timeoutMs: number,
    done: Answered<CommandAnswers[Event]>,
  ): void {
    const { socket } = this;
    if (!socket || !this.isOnline) return done(new ChatError('OFFLINE', 'not connected', true), undefined);
    const askedMs = this.timing.nowMs();
    const onAck: Ack = (error, answer) => {
      if (error && socket.connected && socket === this.socket) {
        done(new ChatError('TIMEOUT', `${event}: no answer within ${timeoutMs} ms`, true), undefined);
        return this.suspect(askedMs);
      }
      if (error) return done(new ChatError('CONNECTION_LOST', `${event}: the connection was lost before the answer`, true), undefined);
      this.heardMs = this.timing.nowMs();
      const raw = (typeof answer === 'object' && answer !== null ? answer : {}) as { ok?: unknown; error?: unknown };
      if (raw.ok === true) done(undefined, answer as CommandAnswers[Event]);
      else done(toChatError(raw.error), undefined);
    };
    socket.timeout(timeoutMs).emit(event, payload ?? {}, onAck);
  }

  private attempt(): void {
    this.drop();
    const { generation } = this;
    const url = this.urls[this.urlIndex] as string;
    this.become({ state: 'connecting', reason: `connecting to ${url}`, url });
    this.cancelTimer = this.timing.after(attemptTimeoutMs, () => this.lost(`no welcome within ${attemptTimeoutMs} ms`));
    void this.askToken().then(
      (token) => {
        if (generation === this.generation) this.dial(url, { token, protocol: protocolVersion });
      },
      (error: unknown) => {
        if (generation === this.generation)
          this.refused(error instanceof ChatError ? error : new ChatError('INTERNAL', String(error), true));
      },
    );
  }

  private async askToken(): Promise<string> {
    const token = this.options?.token ?? '';
    return typeof token === 'string' ? token : token(this.urls[this.urlIndex] as string);
  }

  private dial(url: string, auth: HandshakeAuth): void {
    const socket: Socket = io(url, { auth, transports: ['websocket'], reconnection: false, forceNew: true, timeout: attemptTimeoutMs });
    this.socket = socket;
    socket.on('connect', () => {
      this.cancelTimer();
      this.onlineSinceMs = this.timing.nowMs();
      this.heardMs = this.onlineSinceMs;
      this.become({ state: 'online', reason: `connected to ${url}`, url });
    });
    socket.on('connect_error', (error: Error & { data?: unknown }) => {
      if (error.data === undefined) this.lost(error.message);
      else this.refused(toChatError(error.data));
    });
    socket.on('disconnect', (reason) => this.lost(reason));
    socket.onAny((name: string, payload: unknown) => {
      this.heardMs = this.timing.nowMs();
      if (name === 'closing') this.onClosing(payload);
      if (name === 'auth:expiring') this.onExpiring(payload);
      this.handlers.onEvent(name, payload);
    });
  }

  /** A token that was given once cannot be had again: the connection ends with it. */
  private onExpiring(payload: unknown): void {
    const inMs = (payload as { inMs?: unknown } | null)?.inMs;
    if (this.canRenew && typeof inMs === 'number') this.refresh.due(inMs);
  }

  private get canRenew(): boolean {
    return typeof this.options?.token === 'function';
  }

  private onClosing(payload: unknown): void {
    const raw = (typeof payload === 'object' && payload !== null ? payload : {}) as { code?: unknown; reconnectInMs?: unknown };
    // A code of a later server: come back, with back-off.
    const code: CloseCode = typeof raw.code === 'string' && Object.hasOwn(closeTable, raw.code) ? (raw.code as CloseCode) : 'INTERNAL';
    const wait = typeof raw.reconnectInMs === 'number' ? { reconnectInMs: Math.min(Math.max(0, raw.reconnectInMs), reconnectInMsMax) } : {};
    this.closing = { code, ...wait };
    this.cancelTimer();
    this.cancelTimer = this.timing.after(closingGraceMs, () => this.lost('closing'));
  }

  /** The server said no at connect. */
  private refused(error: ChatError): void {
    if (!error.retryable) return this.stop('closed', error.message, error.code);
    this.lost(`${error.code}: ${error.message}`, error.retryAfterMs, error.code);
  }

  private lost(reason: string, waitMs = 0, code?: ChatErrorCode): void {
    const { closing } = this;
    const isForGood = closing && !closeTable[closing.code].reconnect && !(closing.code === 'TOKEN_EXPIRED' && this.canRenew);
    if (isForGood) return this.stop('closed', closeTable[closing.code].meaning, closing.code);
    if (this.current === 'online' && this.timing.nowMs() - this.onlineSinceMs >= steadyMs) this.attempts = 0;
    this.drop();
    this.urlIndex = (this.urlIndex + 1) % this.urls.length;
    const retryInMs = closing?.reconnectInMs ?? waitMs + backoffMs(this.attempts, this.timing);
    this.attempts += 1;
    this.cancelTimer = this.timing.after(retryInMs, () => this.attempt());
    const why = closing?.code ?? code;
    this.become({ state: 'offline', reason: closing ? closing.code : reason, ...(why && { code: why }), retryInMs });
  }

  /**
   * Nothing at all was heard since a command that has timed out: the link is dead before the heart-beat says so.
   * Not by the length of the silence: a timer may fire a fraction of a millisecond early, and the dead link would be kept.
   */
  private suspect(askedMs: number): void {
    if (this.isOnline && this.heardMs <= askedMs) this.lost('the node does not answer');
  }

  /** Lets go of socket and timer. What the old socket still says is not heard. */
  private drop(): void {
    this.generation += 1;
    this.cancelTimer();
    this.cancelTimer = () => {};
    this.closing = undefined;
    this.refresh.stop();
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.off();
    socket.offAny();
    socket.disconnect();
    socket.io.engine?.close();
  }

  private become(change: StateChange): void {
    this.current = change.state;
    this.handlers.onState(change);
  }
}
