/**
 * Door: what every way in for a client's transport is given. Types only.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../system/clock.ts';
import type { Refusal } from '../system/errors.ts';
import type { Admission } from './admission.ts';
import type { AddressKey } from './client-address.ts';
import type { PingTimes } from './ping-sweep.ts';
import type { Reception } from './reception.ts';

/** Of a handshake, before there is a connection. `status`: of the HTTP answer. */
export interface HandshakeRefusal {
  readonly status: number;
  readonly refusal: Refusal;
}

export interface DoorDeps {
  readonly reception: Reception;
  readonly admission: Admission;
  readonly addressOf: (request: IncomingMessage) => AddressKey;
  /** Asked before anything else of a handshake. It counts its refusals; the door answers them. */
  readonly refusalOfKnock: (request: IncomingMessage) => HandshakeRefusal | undefined;
  readonly pings: PingTimes;
  readonly packetBytesMax: number;
  readonly connectTimeoutMs: number;
  readonly refusedLingerMs: number;
  readonly clock: Clock;
}
