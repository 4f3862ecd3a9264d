/**
 * Node metrics: what the parts of a node, or of a state server alone, say of themselves at a scrape, where they do not know of metrics.
 *
 * Nothing here runs between scrapes.
 */
import { getHeapStatistics } from 'node:v8';
import type { ActorSystem } from './actor.ts';
import type { Health } from './health.ts';
import type { LoopLoad } from './loop-load.ts';
import type { LoopWatch } from './loop-watch.ts';
import type { Metrics } from './metrics.ts';
import type { StateServer } from './state/state-server.ts';

export interface MeasuredParts {
  readonly system: ActorSystem;
  readonly sessions: () => number;
  readonly rooms: () => number;
  readonly presence: () => { readonly users: number; readonly watches: number; readonly isLinkLive: boolean; readonly waiting: number };
  readonly voice: () => { readonly users: number; readonly communities: number };
  readonly load: LoopLoad;
  readonly watch: LoopWatch;
  readonly health: Health;
}

const healthValue = { up: 1, degraded: 0.5, down: 0 } as const;

export function tellNode(metrics: Metrics, { system, sessions, rooms, presence, voice, load, watch, health }: MeasuredParts): void {
  tellHealth(metrics, health);
  tellLoop(metrics, { load, watch });
  metrics.read('playhouse_store_up', () => (health.readiness().parts['store'] === 'down' ? 0 : 1));
  // Sources of a row are added up: MongoDB tells its own, every other store has none.
  metrics.read('playhouse_scrubs_waiting', () => 0);
  metrics.read('playhouse_scrubs_total', () => 0);
  metrics.read('playhouse_supervision_events_total', () => system.supervision.counts);
  metrics.read('playhouse_sessions', sessions);
  metrics.read('playhouse_rooms_active', rooms);
  metrics.read('playhouse_link_up', () => (presence().isLinkLive ? 1 : 0));
  metrics.read('playhouse_link_waiting', () => presence().waiting);
  metrics.read('playhouse_presence_users', () => presence().users);
  metrics.read('playhouse_presence_watches', () => presence().watches);
  metrics.read('playhouse_voice_users', () => voice().users);
  metrics.read('playhouse_voice_communities', () => voice().communities);
  metrics.read('playhouse_actors', () => system.stats().actorsByKind);
  metrics.read('playhouse_actor_messages_total', () => {
    const { accepted, handled, refused, deadLetters } = system.stats();
    return { accepted, handled, refused, deadLetters };
  });
  metrics.read('playhouse_actor_crashes_total', () => system.stats().crashes);
  metrics.read('playhouse_actor_restarts_total', () => system.stats().restarts);
}

export function tellHealth(metrics: Metrics, health: Health): void {
  metrics.read('playhouse_ready', () => (health.readiness().ready ? 1 : 0));
  metrics.read('playhouse_part_health', () =>
    Object.fromEntries(Object.entries(health.readiness().parts).map(([part, state]) => [part, healthValue[state]])),
  );
}

export function tellLoop(metrics: Metrics, { load, watch }: Pick<MeasuredParts, 'load' | 'watch'>): void {
  metrics.read('playhouse_loop_busy_ratio', () => load.busyShare);
  metrics.read('playhouse_loop_stalls_total', () => watch.stalls);
}

export function tellStateServer(metrics: Metrics, server: Pick<StateServer, 'counts'>): void {
  metrics.read('playhouse_state_connections', () => server.counts().connections);
  metrics.read('playhouse_state_nodes', () => server.counts().lives);
  metrics.read('playhouse_state_sessions', () => server.counts().sessions);
  metrics.read('playhouse_state_users', () => server.counts().users);
  metrics.read('playhouse_state_watches', () => server.counts().watches);
  metrics.read('playhouse_state_communities', () => server.counts().communities);
}

export function tellProcess(metrics: Metrics, info: { readonly version: string; readonly node: string }): void {
  metrics.info(info);
  metrics.read('playhouse_heap_used_bytes', () => process.memoryUsage().heapUsed);
  metrics.read('playhouse_heap_limit_bytes', () => getHeapStatistics().heap_size_limit);
  metrics.read('playhouse_resident_bytes', () => process.memoryUsage.rss());
  metrics.read('playhouse_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage();
    return { user: user / 1e6, system: system / 1e6 };
  });
}
