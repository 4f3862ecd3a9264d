/**
 * ClusterView: which nodes there are, and where they are reached. Twins: memory, redis.
 *
 * An accelerator: it may be late, lack a node, or name one that is gone. Nothing may depend on it for truth; whoever reaches for a node
 * that is named here expects it not to answer.
 */
import type { Incarnation, NodeId } from '../ids.ts';

export interface ClusterNode {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  /** Host and port of its node link; undefined: it has none. */
  readonly address: string | undefined;
  /** As in its /readyz. Without it: it does not say, or is of an older version. */
  readonly isReady?: boolean;
}

export interface ClusterView {
  /** All nodes known to live, this one included once it is announced. Quick: asks nobody. */
  nodes(): readonly ClusterNode[];
  /** The node with this incarnation, as far as known. A map lookup. */
  find(incarnation: Incarnation): ClusterNode | undefined;
  /** Calls after each change of `nodes()`. Returns a function that ends it. */
  onChange(listener: () => void): () => void;
  /** This node is reached there, or is ready or not, from now on. Idempotent, returns at once, never throws: others learn of it within seconds, or later. */
  announce(self: ClusterNode): void;
  /** For /readyz. Never `down`: without it nodes do not find each other, and chat goes on. */
  health(): 'up' | { readonly degraded: string };
  readonly description: string;
  /** Takes this node out, waits at most a second for it. Idempotent. Never rejects. */
  close(): Promise<void>;
}
