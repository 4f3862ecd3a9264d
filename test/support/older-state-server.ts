/**
 * Stands in for the older state server, over real TCP: it answers as that one was observed to, silence, disorder, stalls and its own
 * mistakes included.
 *
 * Each line is carried out and answered on its own, so pipelined ones may change places; it never says anything unasked, unless told to.
 */
import type { Socket } from 'node:net';
import { FrameDecoder } from '../../system/state/frame-codec.ts';
import { FixedPortServer } from './fixed-port-server.ts';
import { seeded } from './store-processes.ts';

const done = '반환메세지';

export class OlderStateServer {
  /** Requests in the order they came, on whatever connection. */
  readonly lines: string[] = [];
  connectionsSeen = 0;
  /** Most requests of one connection that were under way at once. */
  inFlightMax = 0;
  /** As the community service is: login and logout are carried out and get no reply while it is down. */
  isCommunityUp = true;
  /** Takes everything and answers nothing, for ever: it ran out of memory. */
  isStuck = false;
  /** Lines that nobody asked for follow each reply of this type, so many. */
  extra: { readonly type: string; readonly count: number; readonly afterMs: number } | undefined;
  private readonly userOf = new Map<string, string>();
  private readonly places = new Map<string, string>();
  private readonly random = seeded(5);
  private readonly server = new FixedPortServer((socket) => this.accept(socket));

  get address(): { readonly host: string; readonly port: number } {
    return this.server.address;
  }

  /** Where a user is, or undefined when they are offline. */
  placeOf(user: string): string | undefined {
    return this.places.get(user);
  }

  get online(): number {
    return this.places.size;
  }

  /** Sessions that it holds for users who are offline or have another one. */
  get ghosts(): number {
    return this.userOf.size - new Set([...this.userOf.values()].filter((user) => this.places.has(user))).size;
  }

  start(): Promise<void> {
    return this.server.start();
  }

  /** What it knows is kept elsewhere, and is there again after a start. */
  stop(): Promise<void> {
    return this.server.stop();
  }

  private accept(socket: Socket): void {
    this.connectionsSeen += 1;
    let inFlight = 0;
    const decoder = new FrameDecoder(200_000_000);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.type !== 'line') continue;
        inFlight += 1;
        this.inFlightMax = Math.max(this.inFlightMax, inFlight);
        this.lines.push(frame.text);
        setTimeout(() => {
          inFlight -= 1;
          this.answer(socket, frame.text);
        }, this.random() * 3);
      }
    });
  }

  private answer(socket: Socket, text: string): void {
    if (this.isStuck || !socket.writable) return;
    const fields = fieldsOf(text);
    const reply = fields && this.replyTo(fields);
    if (reply === undefined) return;
    socket.write(`${reply}\r\n`);
    const { extra } = this;
    if (extra?.type !== fields?.['type'] || !extra) return;
    setTimeout(() => {
      for (let i = 0; i < extra.count && socket.writable; i += 1) socket.write(`${reply}\r\n`);
    }, extra.afterMs);
  }

  private replyTo({ type, session_id: session, user_id: user, channel_id: channel, ids }: Fields): string | undefined {
    switch (type) {
      case 'login':
        if (session === undefined || user === undefined) return undefined;
        this.userOf.set(session, user);
        this.places.set(user, 'home');
        return this.isCommunityUp ? done : undefined;
      case 'logout': {
        if (session === undefined) return undefined;
        const of = this.userOf.get(session);
        this.userOf.delete(session);
        if (of === undefined) return 'null,null';
        const place = this.places.get(of);
        this.places.delete(of);
        return this.isCommunityUp ? `${of},${place ?? 'null'}` : undefined;
      }
      case 'state': {
        if (channel === undefined || user === undefined) return undefined;
        const last = this.places.get(user);
        if (last !== undefined) this.places.set(user, channel);
        return `${last ?? 'null'},${channel}`;
      }
      case 'direct':
      case 'community':
        return ids?.replaceAll(/,\s*/g, ', ');
      default:
        return type === undefined ? undefined : done;
    }
  }
}

type Fields = Readonly<Record<string, string | undefined>>;

/** The older chat server's own way of writing, or JSON; undefined where the older state server stays silent. */
function fieldsOf(text: string): Fields | undefined {
  if (!/^\{.*\}$/.test(text)) return undefined;
  const fields: Record<string, string> = {};
  for (const [, key = '', quoted, list] of text.matchAll(/["']?(\w+)["']?\s*[=:]\s*(?:["']([^"']*)["']|(\[[^\]]*\]))?/g)) {
    const value = quoted ?? list;
    if (value !== undefined && value !== 'null') fields[key] = value;
  }
  return fields;
}
