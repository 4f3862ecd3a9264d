/**
 * SocketPacket: a text frame of a socket.io client (engine.io protocol 4, socket.io protocol 5) read as what it asks for. Pure.
 *
 * Guarantees: never throws; an event is what socket.io's own parser would give (a test compares them). Binary arguments are not
 * read: in their place stands an empty buffer, which the payload guard refuses by name.
 * Source: the protocol documents of engine.io (4) and socket.io (5).
 */

export type SocketPacket =
  | { readonly type: 'connect'; readonly auth: unknown }
  /** `ackId`: digits, where an answer is asked for. `attachments`: frames that follow and are to be skipped. */
  | { readonly type: 'event'; readonly event: unknown[]; readonly ackId: string; readonly attachments: number }
  /** CONNECT to a namespace that is not there. */
  | { readonly type: 'stranger'; readonly namespace: string }
  /** socket.io's disconnect. */
  | { readonly type: 'leave' }
  | { readonly type: 'pong' }
  /** engine.io's close. */
  | { readonly type: 'close' }
  /** Means nothing here: acknowledgements of what was never asked, noops. */
  | { readonly type: 'nothing' }
  | { readonly type: 'malformed' };

/** Packet types at the beginning of a frame, answers to which are built elsewhere. */
export const enginePacket = { open: '0', ping: '2' } as const;
export const socketPacket = { connect: '0', disconnect: '1', event: '2', ack: '3', connectError: '4' } as const;

const malformed: SocketPacket = { type: 'malformed' };
const nothing: SocketPacket = { type: 'nothing' };
const constant: Readonly<Record<string, SocketPacket>> = {
  '1': { type: 'close' },
  '3': { type: 'pong' },
  '5': nothing,
  '6': nothing,
};
/** Longer numbers are none that a client counts up to. */
const ackIdDigitsMax = 15;
/** More buffers in one event: malformed, as for socket.io's parser. */
const attachmentsMax = 10;
const noBytes = Buffer.alloc(0);

export function readPacket(text: string): SocketPacket {
  if (text.charCodeAt(0) !== 0x34) return text.length === 1 ? (constant[text] ?? malformed) : malformed;
  switch (text[1]) {
    case '2':
      return readEvent(text, 2, 0);
    case '0':
      return readConnect(text);
    case '1':
      return text.length === 2 ? { type: 'leave' } : nothing;
    case '3':
      return nothing;
    case '5': {
      const dash = text.indexOf('-');
      const count = /^\d{1,2}$/.test(text.slice(2, dash)) ? Number(text.slice(2, dash)) : Number.NaN;
      return count <= attachmentsMax ? readEvent(text, dash + 1, count) : malformed;
    }
    default:
      return malformed;
  }
}

function readEvent(text: string, from: number, attachments: number): SocketPacket {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at += 1;
  // `/` would be another namespace, to which nobody is connected.
  if (at - from > ackIdDigitsMax || text[at] !== '[') return malformed;
  try {
    const event = JSON.parse(text.slice(at), attachments === 0 ? undefined : withoutBytes) as unknown[];
    return { type: 'event', event, ackId: text.slice(from, at), attachments };
  } catch {
    return malformed;
  }
}

function readConnect(text: string): SocketPacket {
  if (text[2] === '/') {
    const end = text.indexOf(',');
    return { type: 'stranger', namespace: text.slice(2, end < 0 ? undefined : end) };
  }
  if (text.length === 2) return { type: 'connect', auth: {} };
  try {
    return { type: 'connect', auth: JSON.parse(text.slice(2)) };
  } catch {
    return malformed;
  }
}

const withoutBytes = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && (value as { _placeholder?: unknown })._placeholder === true ? noBytes : value;

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
