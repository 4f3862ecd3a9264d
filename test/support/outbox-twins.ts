/**
 * OutboxTwins: an outbox over a twin of engine.io's connection, whose kernel takes bytes when the test says so.
 */
import { EventEmitter } from 'node:events';
import { newOutboxTally } from '../../gateway/edge-metrics.ts';
import { EngineConnection, type SocketSide } from '../../gateway/engine-connection.ts';
import { EncodedFrame, type FrameOptions } from '../../gateway/frame-encoder.ts';
import { Outbox } from '../../gateway/outbox.ts';
import { createLogger } from '../../system/logger.ts';
import { createSupervision } from '../../system/supervision.ts';
import { manualClock } from './manual-clock.ts';

/** Moves packets as engine.io 6.6 does: buffer → transport (one lot at a time) → kernel. */
export class TransportTwin extends EventEmitter {
  writable = true;
  terminated = false;
  readonly socket = { terminate: () => void (this.terminated = true) };
}
class ConnectionTwin extends EventEmitter {
  transport = new TransportTwin();
  writeBuffer: { data: string; options: FrameOptions }[] = [];
  sent: string[] = [];
  isClosed = false;
  write(data: string, options: FrameOptions): void {
    const packet = { data, options };
    this.emit('packetCreate', packet);
    if (this.isClosed) return;
    this.writeBuffer.push(packet);
    this.flush();
  }
  flush(): void {
    if (!this.transport.writable || this.writeBuffer.length === 0) return;
    this.emit('flush', this.writeBuffer);
    this.transport.writable = false;
    this.sent.push(...this.writeBuffer.map((packet) => packet.data));
    this.writeBuffer = [];
    this.emit('drain');
  }
  /** The kernel took what the transport had. */
  drain(): void {
    if (this.transport.writable) return;
    this.transport.emit('drain');
    this.transport.writable = true;
    this.flush();
  }
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.emit('close');
  }
}

export const limitsDefault = { bytesMax: 1_000, framesMax: 10, cutBytesMax: 4_000 };

export function depsOf(limits: typeof limitsDefault) {
  const clock = manualClock();
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  const supervision = createSupervision({ clock, log });
  return { clock, lines, deps: { limits: { ...limits, slowConsumerMs: 30_000 }, clock, log, supervision, tally: newOutboxTally() } };
}

export function setUp(limits = limitsDefault, isStarted = true) {
  const conn = new ConnectionTwin();
  const { clock, lines, deps } = depsOf(limits);
  const disconnects: boolean[] = [];
  const socket = {
    conn,
    disconnect(close: boolean) {
      disconnects.push(close);
      conn.close();
    },
  };
  const engine = new EngineConnection(socket as unknown as SocketSide);
  const outbox = new Outbox(engine, deps);
  if (isStarted) outbox.start();
  /** Bodies of the `closing` events. */
  const told = (): unknown[] => {
    const packets = [...conn.sent, ...conn.writeBuffer.map(({ data }) => data)].filter((packet) => packet.startsWith('2["closing",'));
    return packets.map((packet) => (JSON.parse(packet.slice(1)) as [string, unknown])[1]);
  };
  return { conn, clock, told, lines, disconnects, outbox, ack: (bytes: number) => conn.write('x'.repeat(bytes), {} as FrameOptions) };
}
export const frameOf = (bytes: number) => new EncodedFrame('x'.repeat(bytes - (bytes < 130 ? 3 : 5)));
