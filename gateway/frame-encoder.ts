/**
 * Frame encoder: one event becomes one socket.io packet and one websocket frame, once, for any number of connections.
 *
 * Guarantees: an unmodified socket.io client reads the frames; a new entry is made JSON once for all who read along, and once more for all
 * who catch up. Worth 14 × at 16 entries a frame.
 * Does not: send (outbox.ts). Compression stays off: a frame with per-message deflate could not be shared.
 */
import type { Frame, FrameEncoder } from '../actors/client-sink.ts';
import type { PresenceView } from '../actors/user-state.ts';
import type { RoomId } from '../system/ids.ts';
import type { Histogram } from '../system/metrics.ts';
import type { Entry } from '../system/store/entry.ts';
import { encodeEntry, encodeMark, encodePresence, encodeVoice } from './client-encoding.ts';
import type { ServerEvent, ServerEvents } from './client-protocol.ts';

/** What engine.io is given with a packet. `bytes` is ours: the outbox counts with it. */
export interface FrameOptions {
  readonly wsPreEncodedFrame: readonly Buffer[];
  readonly bytes: number;
  readonly compress: boolean;
}

export class EncodedFrame implements Frame {
  /** The socket.io packet, for polling connections and for one that is changing its transport. */
  readonly packet: string;
  /** The websocket frame. Shared by all connections: never written to. */
  readonly buffer: Buffer;
  /** Entries in it. */
  readonly entries: number;

  constructor(packet: string, entries = 0) {
    this.packet = packet;
    this.entries = entries;
    this.buffer = websocketFrames([packet]);
  }

  get bytes(): number {
    return this.buffer.length;
  }

  get options(): FrameOptions {
    return { wsPreEncodedFrame: [this.buffer], bytes: this.buffer.length, compress: false };
  }
}

/** Engine.io's packet type "message". */
const engineMessage = '4';
/** Socket.io's packet type "event" in the default namespace, without an acknowledgement. */
const socketEvent = '2';

/**
 * For each packet one unmasked, final text frame (RFC 6455, 5.2) with engine.io's message packet: what ws would make of the same
 * packets. All in one buffer, and `last`, frames made before, behind them: so that a connection costs one write.
 */
export function websocketFrames(packets: readonly string[], last?: Buffer): Buffer {
  const sizes = packets.map((packet) => Buffer.byteLength(packet) + 1);
  let bytes = last?.length ?? 0;
  for (const size of sizes) bytes += headerBytesOf(size) + size;
  const buffer = allocate(bytes);
  let at = 0;
  for (const [index, packet] of packets.entries()) {
    const size = sizes[index] as number;
    at = writeHeader(buffer, at, size);
    at += buffer.write(engineMessage, at, 'latin1');
    at += buffer.write(packet, at, 'utf8');
  }
  last?.copy(buffer, at);
  return buffer;
}

/**
 * Frames are cut from slabs: one with a client's own answers before it is a buffer per connection, and thousands of those a second
 * cost more in allocation and collection than their bytes in copying. What has to wait for a connection is copied out of them
 * (websocket-connection): one that does not read holds at most the slab of the write that got stuck. Hence two sizes: small frames keep little.
 */
class Slab {
  readonly #slabBytes: number;
  #slab = Buffer.alloc(0);
  #used = 0;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
  }

  cut(bytes: number): Buffer {
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(this.#slabBytes);
      this.#used = 0;
    }
    this.#used += bytes;
    return this.#slab.subarray(this.#used - bytes, this.#used);
  }
}

const smallBytesMax = 4 * 1024;
const cutBytesMax = 16 * 1024;
const smallSlab = new Slab(4 * smallBytesMax);
const largeSlab = new Slab(4 * cutBytesMax);

function allocate(bytes: number): Buffer {
  if (bytes > cutBytesMax) return Buffer.allocUnsafeSlow(bytes);
  return bytes > smallBytesMax ? largeSlab.cut(bytes) : smallSlab.cut(bytes);
}

/** One frame of engine.io's own, such as a ping. */
export function websocketText(text: string): Buffer {
  const size = Buffer.byteLength(text);
  const buffer = allocate(headerBytesOf(size) + size);
  buffer.write(text, writeHeader(buffer, 0, size), 'utf8');
  return buffer;
}

function headerBytesOf(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** Returns where the payload begins. */
function writeHeader(buffer: Buffer, at: number, payloadBytes: number): number {
  buffer[at] = 0x81;
  if (payloadBytes < 126) {
    buffer[at + 1] = payloadBytes;
  } else if (payloadBytes < 65_536) {
    buffer[at + 1] = 126;
    buffer.writeUInt16BE(payloadBytes, at + 2);
  } else {
    buffer[at + 1] = 127;
    buffer.writeBigUInt64BE(BigInt(payloadBytes), at + 2);
  }
  return at + headerBytesOf(payloadBytes);
}

function frameOf<Event extends ServerEvent>(event: Event, body: ServerEvents[Event]): EncodedFrame {
  return new EncodedFrame(`${socketEvent}${JSON.stringify([event, body])}`);
}

const textOf = (entry: Entry): string => JSON.stringify(encodeEntry(entry));

/** `frameEntries`: told the size of each frame of entries. */
export function createFrameEncoder(frameEntries?: Histogram): FrameEncoder {
  /** Of those who catch up. Not of what is new: that goes out once, and its text would outlive a collection or two for nothing. */
  const texts = new WeakMap<Entry, string>();
  const presences = new WeakMap<PresenceView, EncodedFrame>();
  const keptText = (entry: Entry): string => {
    let text = texts.get(entry);
    if (text === undefined) {
      text = textOf(entry);
      texts.set(entry, text);
    }
    return text;
  };
  // Spliced from texts; the same as frameOf('entries', { room, entries: entries.map(encodeEntry) }), which a test asserts.
  const entriesFrame = (room: RoomId, entries: readonly Entry[], text: (entry: Entry) => string): EncodedFrame => {
    frameEntries?.observe(entries.length);
    const body = `{"room":${JSON.stringify(room)},"entries":[${entries.map(text).join(',')}]}`;
    return new EncodedFrame(`${socketEvent}["entries",${body}]`, entries.length);
  };
  return {
    entries: (room, entries) => entriesFrame(room, entries, textOf),
    entriesAgain: (room, entries) => entriesFrame(room, entries, keptText),
    presence: (changes) => {
      const [only] = changes;
      if (!only || changes.length > 1) return frameOf('presence', { changes: changes.map(encodePresence) });
      // One user's change goes to everybody who watches: encoded once for all who see it the same.
      let frame = presences.get(only);
      if (!frame) {
        frame = frameOf('presence', { changes: [encodePresence(only)] });
        presences.set(only, frame);
      }
      return frame;
    },
    authExpiring: (expiresAt, inMs) => frameOf('auth:expiring', { expiresAt, inMs }),
    voice: (view) => frameOf('voice', encodeVoice(view)),
    typing: (room, users) => frameOf('typing', { room, users }),
    roomHead: (room, { seq, n }) => frameOf('room:head', { room, head: seq, n }),
    read: (room, marks) => frameOf('read', { room, marks: marks.map(encodeMark) }),
    roomGone: (room, reason) => frameOf('room:gone', { room, reason }),
  };
}
