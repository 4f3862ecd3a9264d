/** Node links over TCP that share a view of memory, with their counters; and times short enough for tests. */

import { systemClock } from '../../system/clock.ts';
import { createMemoryClusterHub } from '../../system/cluster/cluster-view-memory.ts';
import type { NodeLinkEvent } from '../../system/cluster/node-link.ts';
import { startTcpNodeLink, type TcpNodeLink, type TcpNodeLinkOptions } from '../../system/cluster/node-link-tcp.ts';
import type { Incarnation, NodeId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { type LinkTimes, linkTimes } from '../../system/state/link-times.ts';

export const clusterSecret = 'f4Kq9ZxT7mVb2LsWc8Rj5NhYp3DgUe6A';
export const quickTimes: LinkTimes = { ...linkTimes, greetMs: 300, pingMs: 50, deadMs: 400, retryMs: 20, retryMsMax: 50 };

export interface LinkedNode {
  readonly link: TcpNodeLink;
  readonly incarnation: Incarnation;
  readonly port: number;
  readonly events: Map<NodeLinkEvent, number>;
  readonly lines: string[];
}

export class NodeLinks {
  readonly hub = createMemoryClusterHub();
  readonly #nodes: LinkedNode[] = [];

  async start(incarnation: Incarnation, options: Partial<TcpNodeLinkOptions> = {}): Promise<LinkedNode> {
    const view = this.hub.join();
    const events = new Map<NodeLinkEvent, number>();
    const lines: string[] = [];
    const node = incarnation.split('.')[0] as NodeId;
    const link = await startTcpNodeLink({
      node,
      incarnation,
      secret: clusterSecret,
      view,
      host: '127.0.0.1',
      port: 0,
      clock: systemClock,
      log: createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } }),
      count: (event, by = 1) => void events.set(event, (events.get(event) ?? 0) + by),
      ...options,
    });
    view.announce({ node, incarnation, address: link.address });
    const closing = link.close.bind(link);
    link.close = async () => {
      await view.close();
      await closing();
    };
    const started = { link, incarnation, port: Number(link.address.split(':')[1]), events, lines };
    this.#nodes.push(started);
    return started;
  }

  /** In the view, at this address: whoever may be there. */
  pretend(incarnation: Incarnation, address: string): void {
    this.hub.join().announce({ node: incarnation.split('.')[0] as NodeId, incarnation, address });
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map(({ link }) => link.close()));
  }
}
