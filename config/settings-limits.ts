/**
 * Settings that bound: what one socket, user, address, room and node may take. Each says what happens above.
 */
import { integer, isNetwork, list, type Setting } from './setting-kinds.ts';

export const limitSettings = {
  textBytesMax: integer({
    default: 16_384,
    unit: 'bytes',
    min: 1,
    max: 1_000_000,
    description: 'Largest text of a message, in UTF-8. Above: PAYLOAD_TOO_LARGE.',
  }),
  fileBytesMax: integer({
    default: 10_485_760,
    unit: 'bytes',
    min: 1,
    max: 1_073_741_824,
    description: 'Largest file that may be uploaded. Above: PAYLOAD_TOO_LARGE.',
  }),
  uploadTimeoutMs: integer({
    default: 120_000,
    unit: 'milliseconds',
    min: 1_000,
    max: 3_600_000,
    description: 'Longest time for the whole of an upload to come. Above: its connection is cut and nothing of it is kept.',
  }),
  uploadBytesPerDayMax: integer({
    default: 1_073_741_824,
    unit: 'bytes per day',
    min: 1,
    max: 1_000_000_000_000,
    description:
      'Most bytes of files one user may leave on this node within 24 hours; several nodes count each for itself. Above: RATE_LIMITED.',
  }),
  outboxBytesMax: integer({
    default: 36_864,
    unit: 'bytes',
    min: 4_096,
    max: 1_000_000_000,
    description:
      'Most events that wait for one socket, beyond what the kernel holds; one larger event passes when nothing waits. Above: delivery of rooms pauses and catches up from the log; above for CHAT_SLOW_CONSUMER_MS: SLOW_CONSUMER.',
  }),
  outboxFramesMax: integer({
    default: 512,
    unit: 'frames',
    min: 1,
    max: 1_000_000,
    description: 'Most frames that wait for one socket. Above: as for CHAT_OUTBOX_BYTES_MAX.',
  }),
  slowConsumerMs: integer({
    default: 30_000,
    unit: 'milliseconds',
    min: 100,
    max: 3_600_000,
    description:
      'A client for which so much waited all this time is closed with SLOW_CONSUMER; it resumes where it was. One that reads nothing at all misses its ping earlier.',
  }),
  resumeEntriesMax: integer({
    default: 10_000,
    unit: 'entries',
    min: 0,
    max: 10_000_000,
    description: 'A client that resumes further behind than this gets the last page (verdict snapshot) instead of every entry (replay).',
  }),
  roomPendingMax: integer({
    default: 10_000,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Most commands of one room that wait to be stored. Above: BUSY.',
  }),
  senderPendingMax: integer({
    default: 100,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Most commands of one sender in one room that wait to be stored. Above: BUSY.',
  }),
  roomsActiveMax: integer({
    default: 10_000,
    unit: 'rooms',
    min: 1,
    max: 1_000_000,
    description: 'Most rooms awake on this node. Above: BUSY for a room that would have to wake.',
  }),
  roomsPerSocketMax: integer({
    default: 200,
    unit: 'rooms',
    min: 1,
    max: 100_000,
    description: 'Most rooms one connection has open. Above: room:open is refused.',
  }),
  commandsPerSecondMax: integer({
    default: 100,
    unit: 'commands per second',
    min: 1,
    max: 1_000_000,
    description: 'Commands one connection may send for long. Above: RATE_LIMITED.',
  }),
  commandsBurstMax: integer({
    default: 200,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Commands one connection may send at once after a pause. Above: RATE_LIMITED.',
  }),
  commandsWaitingMax: integer({
    default: 10_000,
    unit: 'commands',
    min: 100,
    max: 10_000_000,
    description:
      'Most commands of all clients together that were taken and are not answered, about 1 kB each beside their texts; in a small heap no more than one for each 128 KiB of its limit. One connection has at most a sixteenth of what is free. Above: BUSY.',
  }),
  connectionsMax: integer({
    default: 20_000,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description: 'Most connections of this node. Above: TOO_MANY_CONNECTIONS.',
  }),
  presenceWatchesMax: integer({
    default: 500_000,
    unit: 'users',
    min: 0,
    max: 100_000_000,
    description:
      'Most users watched on this node, each counted once for every connection that watches. Above: presence:watch answers BUSY.',
  }),
  presenceUsersMax: integer({
    default: 30_000,
    unit: 'users',
    min: 1,
    max: 10_000_000,
    description:
      'Most users this node keeps the presence of, connected or watched. Above: presence:watch of others answers BUSY; connections are admitted all the same.',
  }),
  userConnectionsMax: integer({
    default: 20,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description:
      'Most connections of one user, to this node or, with Redis, to all nodes. Above: TOO_MANY_CONNECTIONS for the one that came later.',
  }),
  userCommandsPerSecondMax: integer({
    default: 200,
    unit: 'commands per second',
    min: 1,
    max: 10_000_000,
    description: 'Commands one user may send for long, over all connections and HTTP, and with Redis over all nodes. Above: RATE_LIMITED.',
  }),
  userCommandsBurstMax: integer({
    default: 400,
    unit: 'commands',
    min: 1,
    max: 10_000_000,
    description: 'Commands one user may send at once after a pause. Above: RATE_LIMITED.',
  }),
  addressConnectionsMax: integer({
    default: 100,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description:
      'Most connections from one address, with Redis to all nodes. Above: TOO_MANY_CONNECTIONS. As for all limits by address, loopback and trusted proxies are free of it, and a /64 of IPv6 is one address.',
  }),
  addressCommandsPerSecondMax: integer({
    default: 2_000,
    unit: 'commands per second',
    min: 1,
    max: 10_000_000,
    description: 'Commands that may come from one address for long, with Redis to all nodes. Above: RATE_LIMITED.',
  }),
  addressCommandsBurstMax: integer({
    default: 4_000,
    unit: 'commands',
    min: 1,
    max: 10_000_000,
    description: 'Commands that may come from one address at once after a pause. Above: RATE_LIMITED.',
  }),
  addressHandshakesPerSecondMax: integer({
    default: 20,
    unit: 'handshakes per second',
    min: 1,
    max: 1_000_000,
    description: 'Handshakes that may come from one address for long. Above: HTTP 429 with Retry-After.',
  }),
  addressHandshakesBurstMax: integer({
    default: 200,
    unit: 'handshakes',
    min: 1,
    max: 1_000_000,
    description: 'Handshakes that may come from one address at once after a pause. Above: HTTP 429 with Retry-After.',
  }),
  addressBadTokensPerSecondMax: integer({
    default: 1,
    unit: 'bad tokens per second',
    min: 1,
    max: 1_000_000,
    description:
      'Bad tokens one address may bring for long, by handshakes, auth:refresh and HTTP. Above: no token of it is looked at; 429, TOO_MANY_CONNECTIONS or RATE_LIMITED.',
  }),
  addressBadTokensBurstMax: integer({
    default: 20,
    unit: 'bad tokens',
    min: 1,
    max: 1_000_000,
    description: 'Bad tokens one address may bring at once after a pause.',
  }),
  handshakesMax: integer({
    default: 150,
    unit: 'handshakes',
    min: 1,
    max: 100_000,
    description:
      'Most handshakes in progress on this node, a third of them from one address. Above: HTTP 503 with Retry-After, before the token is looked at.',
  }),
  trustedProxies: list({
    rule: 'a comma list of addresses and networks such as 10.0.0.7, 10.1.0.0/16, fd00::/8',
    accepts: isNetwork,
    defaultText: 'empty',
    description:
      'Proxies whose X-Forwarded-For is believed: limits by address count the last address in it that is no proxy. Empty: the header is not looked at.',
  }),
} as const satisfies Record<string, Setting<unknown>>;
