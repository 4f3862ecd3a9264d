/**
 * Node state: a node's link to the state server that is configured, or to one of its own inside this process, over loopback TCP.
 *
 * Guarantees: a node never waits for a state server elsewhere: it starts and serves without one. One of its own that cannot have
 * its port is a Fault.
 * Part of the composition: it knows drivers by name.
 */
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import { type Incarnation, newId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import { tellStateServer } from './node-metrics.ts';
import { publishTransitions } from './node-transitions.ts';
import type { StateLink } from './state/state-link.ts';
import { addressOf, createTcpStateLink } from './state/state-link-tcp.ts';
import { startStateServer } from './state/state-server.ts';
import type { RoomStore } from './store/room-store.ts';
import type { Wire } from './wire/wire.ts';

export type StateConfig = Pick<Config, 'nodeId' | 'stateServer' | 'stateHost' | 'statePort' | 'stateSecret' | 'kafkaBrokers'>;

export interface NodeStateParts {
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of the node, by which its own state server tells other services who came and who went. */
  readonly store: RoomStore;
  readonly wire: Pick<Wire, 'state'>;
  readonly metrics: Metrics;
}

export interface NodeState {
  readonly link: StateLink;
  readonly description: string;
  /** Says goodbye to the state server, at most for so long, then stops the own one. Never rejects. Idempotent. */
  drain(goodbyeMs: number): Promise<void>;
}

/** The own state server is there when the first client is; should it not be, the node starts without. */
const ownLiveMs = 1_000;
/** For those who went with the node to be told to other services. */
const lastEventsMs = 400;

export async function openNodeState(config: StateConfig, parts: NodeStateParts): Promise<NodeState> {
  const { incarnation, clock, log, store, wire, metrics } = parts;
  const { stateHost: host, statePort: port } = config;
  const me = { node: config.nodeId, inc: incarnation, clock, log };
  const given = config.stateSecret;
  if (config.stateServer !== '') {
    const link = createTcpStateLink({ ...me, address: addressOf(config.stateServer), ...(given !== undefined && { secret: given }) });
    return { link, description: link.description, drain: (goodbyeMs) => link.drain(goodbyeMs) };
  }
  // On a port that nobody was told of nobody else is expected: other programs of this machine are kept out by a secret made here.
  const secret = given ?? (port === 0 ? newId() : undefined);
  const proof = secret !== undefined && { secret };
  // Without Kafka nobody else hears it, and looking up rooms would be for nothing.
  const transitions =
    config.kafkaBrokers.length === 0
      ? undefined
      : publishTransitions(async () => store, { publish: (event) => wire.state(event), clock, log });
  const server = await startStateServer({ host, port, clock, log, ...proof, ...(transitions && { onNews: transitions.take }) });
  tellStateServer(metrics, server);
  const link = createTcpStateLink({ ...me, address: addressOf(server.address), ...proof });
  await becomesLive(link, clock);
  return {
    link,
    description: `state server in this process, ${server.description}`,
    async drain(goodbyeMs) {
      await link.drain(goodbyeMs);
      await server.stop();
      await transitions?.close(lastEventsMs);
    },
  };
}

function becomesLive(link: StateLink, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ownLiveMs, resolve);
    link.listen({
      onStates: () => {},
      onLive() {
        cancel();
        resolve();
      },
    });
  });
}
