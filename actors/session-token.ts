/**
 * SessionToken: a session's part in the life of its token: the client is told before it ends, may bring another, and is out when it has ended.
 *
 * Guarantees: `auth:expiring` once for each token, at the latest when the connection has room; another token is taken only
 * when it is of the same user and was not revoked, and a refused one changes nothing.
 * Does not: verify (the edge has), or close: the session does.
 */
import type { Ctx } from '../system/actor.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { ClientSink, FrameEncoder } from './client-sink.ts';
import type { Credential, Identity } from './identity.ts';
import { TokenLifeState } from './token-life-state.ts';

/** Told to the session by itself. */
export interface TokenDue {
  readonly type: 'session.tokenDue';
}

export interface SessionTokenDeps {
  readonly wallMs: () => number;
  readonly encoder: Pick<FrameEncoder, 'authExpiring'>;
  /** How long before its token's end a client is told. */
  readonly tokenNoticeMs: number;
  /** Asked when a token is taken: it may have been revoked since it was verified. */
  readonly isRevoked: (identity: Identity) => boolean;
}

type Timers = Pick<Ctx<TokenDue>, 'after'>;

export class SessionToken {
  private readonly credential: Credential;
  private readonly sink: ClientSink;
  private readonly deps: SessionTokenDeps;
  private life: TokenLifeState;
  private cancelLook: () => void = () => {};

  constructor(credential: Credential, sink: ClientSink, deps: SessionTokenDeps) {
    this.credential = credential;
    this.sink = sink;
    this.deps = deps;
    this.life = new TokenLifeState(credential.identity.expiresAtMs, deps.tokenNoticeMs);
  }

  get isOver(): boolean {
    return this.life.isOver(this.deps.wallMs());
  }

  /** Tells the client where that is due, and looks again when something can have become due. */
  look(ctx: Timers): void {
    this.tell();
    this.cancelLook();
    this.cancelLook = ctx.after(this.life.lookAgainMs(this.deps.wallMs()), { type: 'session.tokenDue' });
  }

  /** Also when the connection has room again. */
  tell(): void {
    const wallMs = this.deps.wallMs();
    if (!this.life.isNoticeDue(wallMs)) return;
    if (this.sink.send(this.deps.encoder.authExpiring(this.life.expiresAtMs, this.life.leftMs(wallMs)))) this.life.noteTold();
  }

  refresh(identity: Identity, ctx: Timers): Refusal | undefined {
    if (identity.userId !== this.credential.identity.userId) return refuse('FORBIDDEN', 'the token is of another user');
    if (this.deps.isRevoked(identity)) return refuse('UNAUTHENTICATED', 'the token was revoked; get a new one');
    this.credential.identity = identity;
    this.life = new TokenLifeState(identity.expiresAtMs, this.deps.tokenNoticeMs);
    this.look(ctx);
    return undefined;
  }
}
