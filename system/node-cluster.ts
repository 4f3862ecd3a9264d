/**
 * Node cluster: what a node has of other nodes: the view of who there is, and the link by which rooms forward to the last winner.
 *
 * Guarantees: a node without the cluster's secret, or without a view in which others could be, has no link and serves all the same; one
 * that cannot have its port is a Fault. Part of the composition: it knows drivers by name.
 */
import { hostname } from 'node:os';
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import { type NodeLink, type NodeLinkEvent, nodeLinkEvents } from './cluster/node-link.ts';
import { startTcpNodeLink } from './cluster/node-link-tcp.ts';
import type { Incarnation, NodeId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export interface NodeCluster {
  /** undefined: every room appends by itself. */
  readonly link: NodeLink | undefined;
  readonly description: string;
  /** Ends the links; who waits for an answer hears that there is none. Never rejects. */
  close(): Promise<void>;
}

export interface NodeClusterParts {
  readonly config: Pick<Config, 'nodeId' | 'clusterSecret' | 'clusterHost' | 'clusterPort' | 'clusterAddress'>;
  readonly incarnation: Incarnation;
  /** undefined: there is none that others could be in. */
  readonly view: ClusterView | undefined;
  /** Another link than the one over TCP, for tests. */
  readonly link: NodeLink | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export async function openNodeCluster({
  config,
  incarnation,
  view,
  link: given,
  clock,
  log,
  metrics,
}: NodeClusterParts): Promise<NodeCluster> {
  const { nodeId, clusterSecret: secret, clusterHost: host, clusterPort: port, clusterAddress } = config;
  const node = nodeId as NodeId;
  const events = Object.fromEntries(nodeLinkEvents.map((event) => [event, 0])) as Record<NodeLinkEvent, number>;
  let link = given;
  if (!link && view && secret !== undefined) {
    const tcp = await startTcpNodeLink({
      node,
      incarnation,
      secret,
      view,
      host,
      port,
      clock,
      log,
      count(event, by = 1) {
        events[event] += by;
      },
    });
    view.announce({ node, incarnation, address: clusterAddress === '' ? reachable(host, tcp.address) : clusterAddress });
    link = tcp;
  }
  const counts = (): ReturnType<NodeLink['counts']> => link?.counts() ?? { links: 0, accepted: 0, waiting: 0 };
  metrics.read('playhouse_node_links', () => ({ out: counts().links, in: counts().accepted }));
  metrics.read('playhouse_node_link_waiting', () => counts().waiting);
  metrics.read('playhouse_node_link_events_total', () => events);
  return {
    link,
    description: link?.description ?? 'no other nodes',
    close: async () => link?.close(),
  };
}

/** A wildcard is no place to connect to; others look for this machine by its name. */
function reachable(host: string, address: string): string {
  const isWildcard = host === '0.0.0.0' || host === '::';
  return isWildcard ? `${hostname()}${address.slice(address.lastIndexOf(':'))}` : address;
}
