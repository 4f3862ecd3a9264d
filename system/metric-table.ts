/**
 * Metric table: every number a node tells of itself at GET /metrics. The source of the README's table; a test reads a real
 * node's answer and finds neither more nor less.
 *
 * Units are base units (seconds, bytes) as Prometheus has them. A label's values come from a fixed list: event names, codes,
 * kinds of actors. Never a room, a user, a session or an address: their number has no bound.
 *
 * A new part adds its rows here and feeds them with `metrics.read(name, …)` or `metrics.counter(name)`.
 */

export interface MetricRow {
  /** counter: only grows, from the start of the process. gauge: now. histogram: counter of values by size. */
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels?: readonly string[];
  /** Upper ends of a histogram's buckets. */
  readonly buckets?: readonly number[];
  readonly meaning: string;
}

const fastSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const counts = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export const metricTable = {
  // ---- the node ----
  playhouse_info: { type: 'gauge', labels: ['version', 'node'], meaning: 'Always 1; the labels name the version and the configured node.' },
  playhouse_ready: { type: 'gauge', meaning: '1 while /readyz answers 200.' },
  playhouse_part_health: { type: 'gauge', labels: ['part'], meaning: 'Each part of /readyz: 1 up, 0.5 degraded, 0 down.' },
  playhouse_supervision_events_total: {
    type: 'counter',
    labels: ['ev'],
    meaning: 'Supervision lines by event, suppressed ones too: crashes, restarts, quarantines, full mailboxes, links.',
  },
  playhouse_clients_moved_total: {
    type: 'counter',
    meaning: 'Clients told to go to another node because this one alone could not reach MongoDB. See clients.moved in the log.',
  },
  // ---- the process ----
  playhouse_loop_lag_seconds: {
    type: 'histogram',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    meaning: 'How late a timer of 250 ms fired: what everything on this node waits for.',
  },
  playhouse_loop_busy_ratio: {
    type: 'gauge',
    meaning: 'Busy share of the event loop, smoothed over a quarter of a second. Above 0.6 rooms gather.',
  },
  playhouse_loop_stalls_total: {
    type: 'counter',
    meaning: 'Pauses of the process longer than 5 s. Each makes the node unready until it has caught up.',
  },
  playhouse_cpu_seconds_total: { type: 'counter', labels: ['mode'], meaning: 'CPU time of the process: user and system.' },
  playhouse_heap_used_bytes: { type: 'gauge', meaning: 'JavaScript heap in use.' },
  playhouse_heap_limit_bytes: { type: 'gauge', meaning: 'What the heap may grow to before the process ends.' },
  playhouse_resident_bytes: { type: 'gauge', meaning: 'Memory of the process as the system counts it.' },
  // ---- presence ----
  playhouse_link_up: { type: 'gauge', meaning: '1 while the link to the state server is live; else presence is shown as unknown.' },
  playhouse_link_waiting: { type: 'gauge', meaning: 'Sessions and watches the state server was not told of yet.' },
  playhouse_presence_users: { type: 'gauge', meaning: 'Users who are here or watched from here. Bound: CHAT_PRESENCE_USERS_MAX.' },
  playhouse_presence_watches: { type: 'gauge', meaning: 'Users watched, counted once for each connection that does.' },
  // ---- the state server, where it is in this process ----
  playhouse_state_connections: { type: 'gauge', meaning: 'Connections to the state server. Bound: 1,024.' },
  playhouse_state_nodes: { type: 'gauge', meaning: 'Nodes at the state server, those lost less than 8 s ago included. Bound: 512.' },
  playhouse_state_sessions: { type: 'gauge', meaning: 'Sessions at the state server. Bound: 500,000.' },
  playhouse_state_users: { type: 'gauge', meaning: 'Users who are online at the state server.' },
  playhouse_state_watches: { type: 'gauge', meaning: 'Users watched at the state server, counted once for each node. Bound: 1,000,000.' },
  playhouse_state_communities: { type: 'gauge', meaning: 'Communities with voice channels at the state server. Bound: 100,000.' },
  // ---- Redis ----
  playhouse_redis_up: { type: 'gauge', meaning: '1 while Redis answers. 0 without one, too: chat does not need it.' },
  playhouse_redis_calls_in_flight: { type: 'gauge', meaning: 'Calls to Redis under way. Bound: 1,000.' },
  playhouse_redis_calls_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'Calls to Redis: ok, failed, or refused at once (not connected, resting after failures, too many).',
  },
  playhouse_redis_bad_values_total: {
    type: 'counter',
    labels: ['kind'],
    meaning: 'Values in Redis that were forged or malformed and were ignored. Above 0: somebody else writes there.',
  },
  playhouse_cluster_nodes: { type: 'gauge', meaning: 'Nodes known to live, this one included.' },
  // ---- other nodes ----
  playhouse_node_links: { type: 'gauge', labels: ['kind'], meaning: 'Live connections to other nodes (out) and from them (in).' },
  playhouse_node_link_waiting: { type: 'gauge', meaning: 'Forwards to other nodes without an answer yet. Bound: 1,024 for each node.' },
  playhouse_node_link_events_total: {
    type: 'counter',
    labels: ['event'],
    meaning:
      'Forwards asked of other nodes, refused (no link, or too much waits), answered, lost without an answer; taken from others. garbage, forged: lines that are no other node’s, and cut: connections there was no room for.',
  },
  playhouse_voice_users: { type: 'gauge', meaning: 'Users of this node in voice channels.' },
  playhouse_voice_communities: { type: 'gauge', meaning: 'Communities whose voice channels sessions here hear of. Bound: 10,000.' },
  // ---- connections ----
  playhouse_connections: { type: 'gauge', meaning: 'Connections with a session. Bound: CHAT_CONNECTIONS_MAX.' },
  playhouse_sessions: { type: 'gauge', meaning: 'Session actors; more than connections only while some end.' },
  playhouse_handshakes: { type: 'gauge', meaning: 'Connections without a session yet.' },
  playhouse_connects_total: {
    type: 'counter',
    labels: ['code'],
    meaning: 'Handshakes that came to a session (OK) or were refused, by code.',
  },
  playhouse_commands_total: {
    type: 'counter',
    labels: ['event', 'code'],
    meaning: 'Commands answered, by event and OK or the code of the refusal.',
  },
  playhouse_command_seconds: {
    type: 'histogram',
    labels: ['event'],
    buckets: fastSeconds,
    meaning: 'From a command read to its answer given to the connection.',
  },
  playhouse_commands_waiting: {
    type: 'gauge',
    meaning:
      'Commands of all clients taken and not answered yet. Near CHAT_COMMANDS_WAITING_MAX: the node cannot keep up, and answers BUSY.',
  },
  playhouse_command_chars_waiting: { type: 'gauge', meaning: 'Characters of text and ids in them.' },
  playhouse_frames_total: { type: 'counter', meaning: 'Frames of entries given to connections.' },
  playhouse_deliveries_total: { type: 'counter', meaning: 'Entries given to connections: entries of a frame × connections.' },
  playhouse_frame_entries: { type: 'histogram', buckets: counts, meaning: 'Entries in one frame, counted once for all its readers.' },
  playhouse_outbox_bytes: { type: 'gauge', meaning: 'Bytes waiting in all outboxes.' },
  playhouse_outbox_fill_ratio: {
    type: 'gauge',
    meaning: 'The fullest outbox against its bound (CHAT_OUTBOX_BYTES_MAX, CHAT_OUTBOX_FRAMES_MAX). Above 0.8: somebody does not read.',
  },
  playhouse_outbox_events_total: {
    type: 'counter',
    labels: ['event'],
    meaning: 'refused: a frame had to wait for a slow reader. shed: a typing frame was dropped. cut: a connection was ended for it.',
  },
  playhouse_http_requests_total: {
    type: 'counter',
    labels: ['status'],
    meaning: 'HTTP requests answered, by class of status (2xx, 4xx …).',
  },
  playhouse_transfers: { type: 'gauge', labels: ['kind'], meaning: 'Files under way: upload (bound 64), download (bound 128).' },
  playhouse_transfers_refused_total: {
    type: 'counter',
    labels: ['kind'],
    meaning:
      'upload, download: refused because too many were under way, of one user or on the node. quota: uploads over what their user may send in a day.',
  },
  playhouse_file_bytes_total: { type: 'counter', labels: ['direction'], meaning: 'Bytes of files taken (in) and given (out).' },
  playhouse_files_collected_total: {
    type: 'counter',
    labels: ['why'],
    meaning: 'Files removed: deleted (their entry was deleted), orphan (their entry never came to be).',
  },
  // ---- rooms ----
  playhouse_rooms_active: { type: 'gauge', meaning: 'Room actors. Bound: CHAT_ROOMS_ACTIVE_MAX.' },
  playhouse_readers: { type: 'gauge', meaning: 'Rooms open on connections, counted once for each.' },
  playhouse_room_commands_waiting: { type: 'gauge', meaning: 'Commands waiting for their append in all rooms.' },
  playhouse_room_fill_ratio: {
    type: 'gauge',
    meaning: 'The fullest room since the last reading against CHAT_ROOM_PENDING_MAX. Above 0.8: too much for one room, or a slow disk.',
  },
  playhouse_reorder_bytes: {
    type: 'gauge',
    meaning: 'Events that came too early and wait, in all rooms. Bound: 64 MB a node, 1 MB a room.',
  },
  playhouse_room_events_total: {
    type: 'counter',
    labels: ['event'],
    meaning: 'What rooms met: conflicts, unknown outcomes, gap repairs, retries known again (dedupeHit), resumes, paused readers …',
  },
  // ---- the log ----
  playhouse_store_up: { type: 'gauge', meaning: '0 while the store takes no writes.' },
  playhouse_appends_total: { type: 'counter', labels: ['outcome'], meaning: 'Append calls by outcome.' },
  playhouse_appended_entries_total: { type: 'counter', meaning: 'Entries made durable.' },
  playhouse_append_entries: { type: 'histogram', buckets: counts, meaning: 'Entries of one append: how well group commit works.' },
  playhouse_append_seconds: { type: 'histogram', buckets: fastSeconds, meaning: 'From an append to its outcome.' },
  playhouse_log_reads: { type: 'gauge', meaning: 'Reads of the log under way.' },
  playhouse_log_read_seconds: { type: 'histogram', labels: ['read'], buckets: fastSeconds, meaning: 'Duration of reads, by method.' },
  playhouse_scrubs_waiting: {
    type: 'gauge',
    meaning: 'Rooms whose deleted texts, hidden already, are still to be taken out of MongoDB. Bound: 1,000.',
  },
  playhouse_scrubs_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'Rooms whose deleted texts were taken out (settled), or left to a sweep of any node within 10 s: failed, full.',
  },
  playhouse_reads: { type: 'gauge', labels: ['kind'], meaning: 'Pages (history) and lists being read for clients. Bounds: 32 and 128.' },
  playhouse_reads_refused_total: { type: 'counter', meaning: 'Reads answered BUSY: too many at once, on the node or by one asker.' },
  // ---- the wire to other nodes ----
  playhouse_wire_sent_total: { type: 'counter', meaning: 'Records that Kafka has.' },
  playhouse_wire_received_total: {
    type: 'counter',
    labels: ['kind'],
    meaning:
      'Records by what they were: entry, hint, signal, state, own, and foreign: of rooms without an actor here, dropped by their key.',
  },
  playhouse_wire_bad_total: {
    type: 'counter',
    labels: ['kind'],
    meaning:
      'Records not to be believed, ignored: unsigned, forged, malformed, tooLarge, stale. Not 0: somebody else writes to the topics.',
  },
  playhouse_wire_dropped_total: {
    type: 'counter',
    labels: ['kind'],
    meaning: 'Records not sent: full (10,000 waited), refused by the broker, noTopic. Other nodes find entries in the store.',
  },
  playhouse_wire_rebuilt_total: { type: 'counter', meaning: 'Kafka consumers and producers replaced because they failed or went silent.' },
  playhouse_wire_waiting: { type: 'gauge', meaning: 'Records waiting to be sent to Kafka. Bound: 10,000.' },
  // ---- services outside ----
  playhouse_directory_calls_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'Calls to the community service, failed ones among them, and questions refused because it rests or too many are asked.',
  },
  playhouse_notifications_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'sent, nobody (no member was absent), dropped (queue full), refused, late (a minute old, or the end), failed (each try).',
  },
  playhouse_notifications_waiting: { type: 'gauge', meaning: 'Messages whose notification waits. Bound: 10,000; above it the oldest go.' },
  // ---- actors ----
  playhouse_actors: { type: 'gauge', labels: ['kind'], meaning: 'Actors alive.' },
  playhouse_actor_messages_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'accepted, handled, refused (a full or draining mailbox), deadLetters.',
  },
  playhouse_actor_crashes_total: { type: 'counter', meaning: 'Crashes of actors.' },
  playhouse_actor_restarts_total: { type: 'counter', meaning: 'Restarts after a crash.' },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof metricTable;
