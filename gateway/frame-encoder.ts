/**
 * Frame encoder: one event becomes one socket.io packet and one websocket frame, once, for any number of connections.
 *
 * Guarantees: an unmodified socket.io client reads the frames; each entry is made JSON once in its life, however many frames
 * carry it. Worth 14 × at 16 entries a frame.
 * Does not: send (outbox.ts). Compression stays off: a frame with per-message deflate could not be shared.
 */
import type { Frame, FrameEncoder } from '../actors/client-sink.ts';
import type { Entry } from '../system/store/entry.ts';
import { encodeEntry, type ServerEvent, type ServerEvents } from './client-protocol.ts';

/** What engine.io is given with a packet. `bytes` is ours: the outbox counts with it. */
export interface FrameOptions {
  readonly wsPreEncodedFrame: readonly Buffer[];
  readonly bytes: number;
  /** engine.io sets it on every packet's options; here from the start, since these are shared by all connections. */
  compress: boolean;
}

export class EncodedFrame implements Frame {
  /** The socket.io packet, for polling connections and for one that is changing its transport. */
  readonly packet: string;
  readonly options: FrameOptions;

  constructor(packet: string) {
    this.packet = packet;
    const frame = websocketFrame(packet);
    this.options = { wsPreEncodedFrame: [frame], bytes: frame.length, compress: false };
  }

  get bytes(): number {
    return this.options.bytes;
  }
}

/** Engine.io's packet type "message". */
const engineMessage = '4';
/** Socket.io's packet type "event" in the default namespace, without an acknowledgement. */
const socketEvent = '2';

/**
 * One unmasked, final text frame (RFC 6455, 5.2) with engine.io's message packet: what ws would make of the same packet,
 * in one buffer, so that a connection costs one write.
 */
function websocketFrame(packet: string): Buffer {
  const payloadBytes = Buffer.byteLength(packet) + 1;
  const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes);
  frame[0] = 0x81;
  if (headerBytes === 2) frame[1] = payloadBytes;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadBytes, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(payloadBytes), 2);
  }
  frame.write(engineMessage, headerBytes, 'latin1');
  frame.write(packet, headerBytes + 1, 'utf8');
  return frame;
}

function frameOf<Event extends ServerEvent>(event: Event, body: ServerEvents[Event]): EncodedFrame {
  return new EncodedFrame(`${socketEvent}${JSON.stringify([event, body])}`);
}

export function createFrameEncoder(): FrameEncoder {
  /** Weak: an entry's text lives as long as somebody holds the entry. */
  const texts = new WeakMap<Entry, string>();
  const textOf = (entry: Entry): string => {
    let text = texts.get(entry);
    if (text === undefined) {
      text = JSON.stringify(encodeEntry(entry));
      texts.set(entry, text);
    }
    return text;
  };
  return {
    // Spliced from texts; the same as frameOf('entries', { room, entries: entries.map(encodeEntry) }), which a test asserts.
    entries: (room, entries) =>
      new EncodedFrame(`${socketEvent}["entries",{"room":${JSON.stringify(room)},"entries":[${entries.map(textOf).join(',')}]}]`),
    typing: (room, users) => frameOf('typing', { room, users }),
    roomGone: (room, reason) => frameOf('room:gone', { room, reason }),
  };
}
