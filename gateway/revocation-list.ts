/**
 * RevocationList: this node's view of what was revoked, and the way to revoke.
 *
 * Guarantees: what was revoked here is in force here at once, what was revoked elsewhere after the next read of the store
 * (every second), or at once where nodes tell each other (`push`). Listeners are told once of each. While the store cannot be read the
 * list goes on with what it knows, for 60 s; then nobody new gets in: a token might have been revoked and we would not know.
 * Does not: close sessions (the listeners do), or know what signed a token.
 */
import type { Clock } from '../system/clock.ts';
import type { RevocationPush } from '../system/cluster/revocation-push.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { type Revocation, type Revocations, type Revoked, revokes, type TokenFacts } from '../system/store/revocations.ts';
import { isRefusal, type TokenVerifier } from './session-port.ts';

export interface RevocationListDeps {
  readonly store: Revocations;
  readonly clock: Clock;
  readonly log: Logger;
  /** The longest life of a token. A revocation ends when whatever it speaks of must have ended. */
  readonly tokenLifetimeMaxMs: number;
  /** Tells other nodes, and hears of theirs. Without one they find it in the store. */
  readonly push?: RevocationPush | undefined;
}

/** With the read itself well below the 2 s in which a revocation is to be in force everywhere. */
const readEveryMs = 1_000;
/** However often others say that there is something new. */
const readAgainMs = 100;
const blindMaxMs = 60_000;
const blindRetryAfterMs = 5_000;
/** The verifier's tolerance for issuers that are ahead, at the beginning of a token's life and at its end. */
const clockSkewMs = 60_000;
const sweepEveryMs = 60_000;

export class RevocationList {
  readonly #deps: RevocationListDeps;
  readonly #tokens = new Map<string, Revocation>();
  readonly #users = new Map<UserId, Revocation>();
  #everybody: Revocation | undefined;
  readonly #listeners = new Set<(revocation: Revocation) => void>();
  #cursor: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #sweptAtMs = 0;
  #isFailing = false;
  #isStopped = false;
  #isReading = false;
  #isAgainDue = false;
  #isSoonDue = false;
  #cancel: () => void = () => {};
  #endListening: () => void = () => {};

  constructor(deps: RevocationListDeps) {
    this.#deps = deps;
  }

  /** Reads all there are, then what is new, every second. Rejects with the store's Fault: then nobody could be let in. */
  async start(): Promise<void> {
    this.#endListening =
      this.#deps.push?.listen((revocation) => (revocation ? this.hear(revocation) : this.#readSoon())) ?? this.#endListening;
    await this.#read();
    this.#readLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#endListening();
  }

  /** Called for each revocation that is new here, and for one that was made anew. */
  onRevoked(listener: (revocation: Revocation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Why this token lets nobody in; undefined: nothing is against it. */
  refusalOf(token: TokenFacts): Refusal | undefined {
    if (this.isRevoked(token)) return refuse('UNAUTHENTICATED', 'the token was revoked; get a new one');
    if (!this.isBlind) return undefined;
    return refuse('STORE_UNAVAILABLE', 'whether the token was revoked cannot be told now; try again', blindRetryAfterMs);
  }

  /** The store was not read for so long that nobody new is let in. */
  get isBlind(): boolean {
    return this.#deps.clock.nowMs() - this.#readAtMs > blindMaxMs;
  }

  isRevoked(token: TokenFacts): boolean {
    const known = [token.jti === undefined ? undefined : this.#tokens.get(token.jti), this.#users.get(token.userId), this.#everybody];
    return known.some((revocation) => revocation !== undefined && revokes(revocation, token));
  }

  /**
   * In force here before it is stored, so that a store that fails does not keep it from those who are connected now. Rejects
   * with the store's Fault: then it is in force on this node only, until it ends; revoke again.
   */
  async revoke(of: Revoked): Promise<Revocation> {
    const { clock, store, push, tokenLifetimeMaxMs } = this.#deps;
    const atMs = clock.wallMs();
    const revocation = { of, atMs, endsAtMs: atMs + tokenLifetimeMaxMs + clockSkewMs };
    this.hear(revocation);
    push?.made(revocation);
    await store.add(revocation);
    push?.stored();
    return revocation;
  }

  /** Of another node, ahead of the store. Any order, doubled or lost: the store says it too. */
  hear(revocation: Revocation): void {
    if (!this.#remember(revocation)) return;
    for (const listener of this.#listeners) {
      try {
        listener(revocation);
      } catch (error) {
        this.#deps.log.error({ ev: 'gateway.bug', err: error }, 'a listener of revocations threw');
      }
    }
  }

  /** Whether that is new. */
  #remember(revocation: Revocation): boolean {
    const { of } = revocation;
    const known = 'jti' in of ? this.#tokens.get(of.jti) : 'user' in of ? this.#users.get(of.user) : this.#everybody;
    if (known && known.atMs >= revocation.atMs && known.endsAtMs >= revocation.endsAtMs) return false;
    if ('jti' in of) this.#tokens.set(of.jti, revocation);
    else if ('user' in of) this.#users.set(of.user, revocation);
    else this.#everybody = revocation;
    return true;
  }

  async #read(): Promise<void> {
    const startedAtMs = this.#deps.clock.nowMs();
    const { revocations, cursor } = await this.#deps.store.read(this.#cursor);
    for (const revocation of revocations) this.hear(revocation);
    this.#cursor = cursor;
    this.#readAtMs = startedAtMs;
    this.#sweep();
  }

  #readLater(delayMs = readEveryMs): void {
    if (this.#isStopped) return;
    this.#cancel();
    this.#cancel = this.#deps.clock.after(delayMs, () => {
      this.#isReading = true;
      this.#isSoonDue = false;
      this.#read()
        .then(
          () => this.#tell(false),
          (cause: unknown) => this.#tell(true, cause),
        )
        .finally(() => {
          this.#isReading = false;
          this.#readLater(this.#isAgainDue ? readAgainMs : readEveryMs);
          this.#isAgainDue = false;
        });
    });
  }

  /** Somebody says that there is something new. Whoever says it without end gets ten readings a second. */
  #readSoon(): void {
    if (this.#isReading) this.#isAgainDue = true;
    else if (!this.#isSoonDue) {
      this.#isSoonDue = true;
      const sinceMs = this.#deps.clock.nowMs() - this.#readAtMs;
      this.#readLater(Math.max(0, readAgainMs - sinceMs));
    }
  }

  /** Once per change. */
  #tell(isFailing: boolean, cause?: unknown): void {
    if (isFailing === this.#isFailing || this.#isStopped) return;
    this.#isFailing = isFailing;
    const { log } = this.#deps;
    if (!isFailing) log.info({ ev: 'revocations.up' }, 'revocations can be read again');
    else
      log.error(
        { ev: 'revocations.down', cause: String(cause) },
        `revocations cannot be read: after ${blindMaxMs / 1_000} s of that nobody new is let in`,
      );
  }

  #sweep(): void {
    const { clock } = this.#deps;
    if (clock.nowMs() - this.#sweptAtMs < sweepEveryMs) return;
    this.#sweptAtMs = clock.nowMs();
    const hasEnded = ({ endsAtMs }: Revocation): boolean => endsAtMs <= clock.wallMs();
    for (const [jti, revocation] of this.#tokens) if (hasEnded(revocation)) this.#tokens.delete(jti);
    for (const [user, revocation] of this.#users) if (hasEnded(revocation)) this.#users.delete(user);
    if (this.#everybody && hasEnded(this.#everybody)) this.#everybody = undefined;
  }
}

/** A verifier that knows what was revoked: for connects, for refreshes and for HTTP alike. */
export function withRevocations(verifier: TokenVerifier, revocations: Pick<RevocationList, 'refusalOf'>): TokenVerifier {
  return {
    verify(token) {
      const identity = verifier.verify(token);
      return isRefusal(identity) ? identity : (revocations.refusalOf(identity) ?? identity);
    },
  };
}
