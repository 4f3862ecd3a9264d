/**
 * KafkaClient: kafkajs as this project uses it: its settings, its log lines, and the repair of one fault.
 *
 * Guarantees: every setting whose default depends on NODE_ENV or is unbounded is given; the driver's own lines go to the debug level,
 * each kind once, and never with what a record holds.
 */
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Kafka, logLevel } from 'kafkajs';
import type { Logger } from '../logger.ts';
import { OnceAKind } from './once-a-kind.ts';

export interface KafkaClientOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log: Logger;
}

/** A frozen broker is noticed within this time. */
const requestTimeoutMs = 5_000;
/** The driver's own retries are few: ours go on for ever, and say so. */
const retry = { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0, multiplier: 2, retries: 1 } as const;

export function createKafkaClient({ brokers, clientId, log }: KafkaClientOptions): Kafka {
  repairIdleTimer(log);
  const kinds = new OnceAKind();
  return new Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: 2_000,
    authenticationTimeout: 5_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry,
    // Without Nagle's wait; the driver's own sockets have it.
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const socket = ssl ? connectTls({ ...ssl, host, port }, onConnect) : connect({ host, port }, onConnect);
      return socket.setKeepAlive(true, 60_000).setNoDelay(true);
    },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message } }) => {
        const kind = `${namespace}: ${message}`.replace(/\d+/g, '0').slice(0, 120);
        if (kinds.isFirst(kind)) log.debug({ ev: 'wire.driver', kind }, 'the Kafka driver says so; said once');
      },
  });
}

// ---- the repair ----

/** kafkajs is not released any more; another version has other innards, and is left as it is. */
const repairedVersion = '2.2.4';

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

let isRepaired = false;

/**
 * kafkajs 2.2.4 arms a timer of 1 ms on every idle connection, for ever, to look for requests that wait (tulios/kafkajs#1556):
 * a twelfth of a core for nothing. It is needed only while some do.
 */
function repairIdleTimer(log: Logger): void {
  if (isRepaired) return;
  isRepaired = true;
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== repairedVersion) {
    log.warn({ ev: 'wire.driver', version }, 'the Kafka driver is another version than the one whose idle timer is repaired');
    return;
  }
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue };
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function repaired(this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}
