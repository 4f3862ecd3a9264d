/**
 * Admission: who may knock, who may sit down, how fast whoever sits may ask; counted by node, by user and by address; commands and
 * connections over all nodes where they share limits.
 *
 * Guarantees: a handshake over a bound is refused before its token is looked at, with a code and a time to come again; a seat
 * is given back once. Of two that are over a bound the one that came later is refused: who is connected stays.
 * Does not: know a socket or HTTP, or verify tokens.
 */
import type { Clock } from '../system/clock.ts';
import type { ClusterLimits, RateKind, SharedSeats } from '../system/cluster/cluster-limits.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { AddressKey } from './client-address.ts';
import { RateTable } from './rate-table.ts';

export interface AdmissionConfig {
  /** Handshakes in progress on this node. */
  readonly handshakesMax: number;
  readonly connectionsMax: number;
  readonly userConnectionsMax: number;
  readonly userCommandsPerSecondMax: number;
  readonly userCommandsBurstMax: number;
  readonly addressConnectionsMax: number;
  readonly addressCommandsPerSecondMax: number;
  readonly addressCommandsBurstMax: number;
  readonly addressHandshakesPerSecondMax: number;
  readonly addressHandshakesBurstMax: number;
  readonly addressBadTokensPerSecondMax: number;
  readonly addressBadTokensBurstMax: number;
}

/** A refusal of a handshake, with the status it has where there is no socket yet. 503: the node; 429: you. */
export interface KnockRefusal {
  readonly status: 429 | 503;
  readonly refusal: Refusal;
}

/** A connection of a user that was let in. */
export interface Seat {
  /** Why this command is not carried out; undefined: go on. */
  refusalOfCommand(): Refusal | undefined;
  /** Whether the user or the address, with all their connections, is far over its rate. */
  isFlooded(): boolean;
  /** A token brought by this connection was bad. */
  badToken(): void;
  /** How long no token of this connection is looked at; undefined: go on. */
  badTokenWaitMs(): number | undefined;
  /** Once; later calls do nothing. */
  leave(): void;
}

const retryAfterMs = 1_000;
/** Of the handshakes in progress, from one address; so that one address cannot keep all others out. */
const addressShare = 1 / 3;
/** Users and addresses remembered besides those that are connected. */
export const keysBeside = 10_000;

const tooMany = (message: string, afterMs = retryAfterMs): Refusal => refuse('TOO_MANY_CONNECTIONS', message, afterMs);

export class Admission {
  readonly #config: AdmissionConfig;
  readonly #users = new Counts();
  readonly #addresses = new Counts();
  /** Handshakes in progress. */
  readonly #knocking = new Map<object, AddressKey>();
  readonly #knockingByAddress = new Counts();
  readonly #sharedUsers: SharedSeats | undefined;
  readonly #sharedAddresses: SharedSeats | undefined;
  readonly userCommands: RateTable;
  readonly #addressCommands: RateTable;
  readonly #handshakes: RateTable;
  readonly #badTokens: RateTable;
  #seats = 0;

  /** `limits`: those of all nodes together, where there are others. */
  constructor(config: AdmissionConfig, clock: Pick<Clock, 'nowMs'>, limits?: ClusterLimits) {
    this.#config = config;
    const table = (perSecondMax: number, burstMax: number, kind?: RateKind) =>
      new RateTable(
        { perSecondMax, burstMax, keysMax: config.connectionsMax + keysBeside },
        clock,
        kind && limits?.rate(kind, { perSecondMax, burstMax }),
      );
    this.#sharedUsers = limits?.seats('user-connections');
    this.#sharedAddresses = limits?.seats('address-connections');
    this.userCommands = table(config.userCommandsPerSecondMax, config.userCommandsBurstMax, 'user-commands');
    this.#addressCommands = table(config.addressCommandsPerSecondMax, config.addressCommandsBurstMax, 'address-commands');
    this.#handshakes = table(config.addressHandshakesPerSecondMax, config.addressHandshakesBurstMax);
    this.#badTokens = table(config.addressBadTokensPerSecondMax, config.addressBadTokensBurstMax);
  }

  get knocking(): number {
    return this.#knocking.size;
  }

  /** A handshake arrives: before a byte of it is parsed. */
  refusalOfKnock(address: AddressKey): KnockRefusal | undefined {
    const { handshakesMax } = this.#config;
    if (this.#knocking.size >= handshakesMax) return { status: 503, refusal: tooMany('too many handshakes in progress') };
    if (address === undefined) return undefined;
    const yours = (message: string, afterMs?: number): KnockRefusal => ({ status: 429, refusal: tooMany(message, afterMs) });
    if (this.#knockingByAddress.of(address) >= Math.max(1, handshakesMax * addressShare))
      return yours('too many handshakes in progress from your address');
    const badTokenWaitMs = this.badTokenWaitMs(address);
    if (badTokenWaitMs !== undefined) return yours('too many bad tokens from your address', Math.max(retryAfterMs, badTokenWaitMs));
    const waitMs = this.#handshakes.take(address);
    return waitMs === undefined ? undefined : yours('too many handshakes from your address', Math.max(retryAfterMs, waitMs));
  }

  knocked(connection: object, address: AddressKey): void {
    if (this.#knocking.has(connection)) return;
    this.#knocking.set(connection, address);
    this.#knockingByAddress.add(address);
  }

  /** It sat down, was refused, or is gone. */
  doneKnocking(connection: object): void {
    if (!this.#knocking.has(connection)) return;
    this.#knockingByAddress.remove(this.#knocking.get(connection));
    this.#knocking.delete(connection);
  }

  badToken(address: AddressKey): void {
    if (address !== undefined) this.#badTokens.take(address);
  }

  /** How long no token of this address is looked at; undefined: go on. */
  badTokenWaitMs(address: AddressKey): number | undefined {
    return address === undefined ? undefined : this.#badTokens.waitMs(address);
  }

  sit(user: string, address: AddressKey): Seat | Refusal {
    const { connectionsMax, userConnectionsMax, addressConnectionsMax } = this.#config;
    if (this.#seats >= connectionsMax) return tooMany('the node is full');
    if (isFull(this.#users.of(user), userConnectionsMax, this.#sharedUsers, user))
      return tooMany(`you have ${userConnectionsMax} connections; close one`);
    if (address !== undefined && isFull(this.#addresses.of(address), addressConnectionsMax, this.#sharedAddresses, address))
      return tooMany('too many connections from your address');
    this.#seats += 1;
    this.#users.add(user);
    this.#addresses.add(address);
    this.#tellSeats(user, address);
    return new TakenSeat(this, user, address);
  }

  leave(user: string, address: AddressKey): void {
    this.#seats -= 1;
    this.#users.remove(user);
    this.#addresses.remove(address);
    this.#tellSeats(user, address);
  }

  #tellSeats(user: string, address: AddressKey): void {
    this.#sharedUsers?.have(user, this.#users.of(user));
    if (address !== undefined) this.#sharedAddresses?.have(address, this.#addresses.of(address));
  }

  isFlooded(user: string, address: AddressKey): boolean {
    return this.userCommands.isFlooded(user) || (address !== undefined && this.#addressCommands.isFlooded(address));
  }

  refusalOfCommand(user: string, address: AddressKey): Refusal | undefined {
    const userWaitMs = this.userCommands.take(user);
    if (userWaitMs !== undefined) return refuse('RATE_LIMITED', 'too many commands of your connections together', userWaitMs);
    const waitMs = address === undefined ? undefined : this.#addressCommands.take(address);
    return waitMs === undefined ? undefined : refuse('RATE_LIMITED', 'too many commands from your address', waitMs);
  }
}

/** Here, or with what other nodes are known to have. */
function isFull(here: number, max: number, shared: SharedSeats | undefined, key: string): boolean {
  if (here >= max) return true;
  if (shared === undefined || here + shared.others(key) < max) return false;
  shared.askAgain(key);
  return true;
}

/** Methods, not closures: there is one of these for every connection. */
class TakenSeat implements Seat {
  readonly #admission: Admission;
  readonly #user: string;
  readonly #address: AddressKey;
  #isTaken = true;

  constructor(admission: Admission, user: string, address: AddressKey) {
    this.#admission = admission;
    this.#user = user;
    this.#address = address;
  }

  isFlooded(): boolean {
    return this.#admission.isFlooded(this.#user, this.#address);
  }

  refusalOfCommand(): Refusal | undefined {
    return this.#admission.refusalOfCommand(this.#user, this.#address);
  }

  badToken(): void {
    this.#admission.badToken(this.#address);
  }

  badTokenWaitMs(): number | undefined {
    return this.#admission.badTokenWaitMs(this.#address);
  }

  leave(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    this.#admission.leave(this.#user, this.#address);
  }
}

/** How many there are of each key; a key without any is not held. */
class Counts {
  readonly #counts = new Map<string, number>();

  of(key: string | undefined): number {
    return key === undefined ? 0 : (this.#counts.get(key) ?? 0);
  }

  add(key: string | undefined): void {
    if (key !== undefined) this.#counts.set(key, this.of(key) + 1);
  }

  remove(key: string | undefined): void {
    if (key === undefined) return;
    const left = this.of(key) - 1;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
