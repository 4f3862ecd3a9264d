/**
 * StateLink over TCP: runs the pure `LinkMachine` on a socket, a clock and chance.
 *
 * Guarantees: as the contract says, whatever the server does; at most one line and one ping wait in the socket; one write per turn.
 * In front of an older server it keeps that server's view of who is here, and stays not live for the listener: such a server tells nothing of others.
 */
import type { Clock } from '../clock.ts';
import { chance, type SessionId, type UserId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { encodeLine, type Frame } from './frame-codec.ts';
import { type Address, LineSocket } from './line-socket-tcp.ts';
import { olderQuestion } from './link-greeting-state.ts';
import { Ledger } from './link-ledger-state.ts';
import type { Sessions, Voices, Watched } from './link-lines.ts';
import { OlderRoster } from './link-older-roster-state.ts';
import { type LinkEffect, LinkMachine } from './link-state.ts';
import { type LinkTimes, linkTimes } from './link-times.ts';
import { decodeServerLine, encodeNodeLine } from './state-line-decoder.ts';
import { lineBytesMax } from './state-lines.ts';
import {
  isVoicePlace,
  type LinkState,
  type LiveSession,
  type StateLink,
  type StateLinkListener,
  type VoiceLink,
  type VoiceListener,
  voiceWatchedMax,
  watchedMax,
} from './state-link.ts';
import { OlderTalk } from './state-link-older-tcp.ts';
import { proofOf } from './state-proof.ts';
import { WakeTimer } from './wake-timer.ts';

export interface TcpStateLinkOptions {
  readonly address: Address;
  readonly node: string;
  /** One life of the node. */
  readonly inc: string;
  /** Shared with the state server; needed where the server asks for it. */
  readonly secret?: string;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Other waits than the usual ones, for tests. */
  readonly times?: LinkTimes;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

/**
 * Sessions, and watches, that changed and are not told. Beyond it they are forgotten and all that lives is told again, so what happened costs
 * memory for so many ids of at most 128 characters: below 4 MB.
 */
export const changesMax = 10_000;
/** Users that wait for their logout from an older server; beyond it the oldest stay logged in there until it forgets them. */
export const goneMax = 10_000;
/** To an older server. Each has one request in flight, most of which are answered within a millisecond. */
const olderConnections = 2;

/** `host:port` or `[v6]:port`, as the setting is checked to be. */
export function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

/** A place that the server would refuse would cut the link again and again. */
const isPlace = (place: string): boolean => /^[^\p{Cc}\p{Cs}]{1,160}$/u.test(place);

export function createTcpStateLink(options: TcpStateLinkOptions): StateLink {
  return new TcpStateLink(options);
}

class TcpStateLink implements StateLink {
  readonly description: string;
  readonly #options: TcpStateLinkOptions;
  readonly #sessions: Sessions = new Ledger(changesMax);
  readonly #watched: Watched = new Ledger(changesMax);
  readonly #voices: Voices = new Ledger(changesMax);
  readonly #machine: LinkMachine;
  #listener: StateLinkListener | undefined;
  #voiceListener: VoiceListener | undefined;
  #socket: LineSocket | undefined;
  readonly #timer: WakeTimer;
  /** While the server is an older one. The roster outlives it: users that left during an outage are to be logged out after it. */
  #older: OlderTalk | undefined;
  #roster: OlderRoster | undefined;
  #isDue = false;
  #onEnd: (() => void)[] = [];
  #isDraining = false;
  #isEnded = false;

  constructor(options: TcpStateLinkOptions) {
    this.#options = options;
    const { node, inc, secret, times = linkTimes, random = chance } = options;
    const { host, port } = options.address;
    this.description = `state server ${host.includes(':') ? `[${host}]` : host}:${port}`;
    const prove = (nonce: string): string | undefined => (secret === undefined ? undefined : proofOf(secret, { nonce, node, inc }));
    this.#machine = new LinkMachine({
      sessions: this.#sessions,
      watched: this.#watched,
      voices: this.#voices,
      settings: { node, inc, prove, times, peer: this.description },
      random,
    });
    this.#timer = new WakeTimer(options.clock, () => {
      this.#machine.tick(this.#nowMs());
      this.#settle();
    });
    this.#machine.start(this.#nowMs());
    this.#settle();
  }

  readonly voice: VoiceLink = this.#voiceLink();

  #voiceLink(): VoiceLink {
    const isLive = (): boolean => !this.#isDraining && this.#machine.tellsVoice;
    return {
      get isLive() {
        return isLive();
      },
      listen: (listener) => {
        this.#voiceListener = listener;
        this.#machine.askAgain();
        this.#soon();
      },
      watch: (community) => {
        if (this.#voices.has(community)) return true;
        if (this.#isDraining || this.#voices.size >= voiceWatchedMax) return false;
        this.#voices.put(community, true);
        this.#soon();
        return true;
      },
      unwatch: (community) => {
        this.#voices.remove(community);
        this.#soon();
      },
    };
  }

  get state(): LinkState {
    if (this.#isDraining) return 'draining';
    if (this.#older) return this.#older.isTold ? 'live' : 'snapshot';
    return this.#machine.state;
  }

  listen(listener: StateLinkListener): void {
    this.#listener = listener;
    this.#machine.askAgain();
    this.#soon();
  }

  put(given: LiveSession): void {
    if (this.#isDraining) return;
    const live = isPlace(given.place) ? given : { ...given, place: 'home' };
    const known = this.#sessions.get(live.session);
    if (known?.user === live.user && known.place === live.place) return;
    if (known && known.user !== live.user) this.#roster?.remove(known);
    this.#sessions.put(live.session, live);
    // An older server has other lines for voice channels, and is not told of ours.
    if (!isVoicePlace(live.place)) this.#roster?.put(live);
    this.#soon();
  }

  remove(session: SessionId): void {
    const known = this.#sessions.get(session);
    if (!known) return;
    this.#sessions.remove(session);
    this.#roster?.remove(known);
    this.#soon();
  }

  watch(user: UserId): boolean {
    if (this.#watched.has(user)) return true;
    if (this.#isDraining || this.#watched.size >= watchedMax) return false;
    this.#watched.put(user, true);
    this.#soon();
    return true;
  }

  unwatch(user: UserId): void {
    this.#watched.remove(user);
    this.#soon();
  }

  counts(): { sessions: number; watched: number; waiting: number } {
    const [sessions, watched] = [this.#sessions, this.#watched];
    const waiting = this.#older && this.#roster ? this.#roster.waiting : sessions.waiting + watched.waiting;
    return { sessions: sessions.size, watched: watched.size, waiting };
  }

  async drain(deadlineMs: number): Promise<void> {
    if (this.#isEnded) return;
    const ended = new Promise<void>((resolve) => this.#onEnd.push(resolve));
    const nowMs = this.#nowMs();
    this.#stopTaking();
    if (this.#older) this.#older.drain(nowMs + deadlineMs);
    else this.#machine.drain(nowMs + deadlineMs, nowMs);
    this.#settle();
    await ended;
  }

  async close(): Promise<void> {
    this.#stopTaking();
    this.#older?.close();
    this.#machine.end();
    this.#settle();
  }

  #stopTaking(): void {
    this.#isDraining = true;
    this.#sessions.clear();
    this.#watched.clear();
    this.#voices.clear();
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** At the end of this turn, however much changes in it. */
  #soon(): void {
    if (this.#isDue || this.#isEnded) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#settle();
    });
  }

  /** Does what is to be done: all lines in one write, then the timer. */
  #settle(): void {
    this.#older?.settle();
    this.#machine.flush(this.#nowMs());
    const bytes: Buffer[] = [];
    for (let effects = this.#machine.take(); effects.length > 0; effects = this.#machine.take()) {
      for (const effect of effects) this.#do(effect, bytes);
    }
    if (bytes.length > 0 && this.#socket) this.#machine.blocked(!this.#socket.send(Buffer.concat(bytes)));
    this.#timer.set(this.#machine.wakeAtMs);
  }

  #do(effect: LinkEffect, bytes: Buffer[]): void {
    switch (effect.type) {
      case 'connect':
        this.#socket = this.#connect();
        return;
      case 'cut':
        this.#socket?.cut();
        this.#socket = undefined;
        return;
      case 'send':
        bytes.push(encodeNodeLine(effect.line));
        return;
      case 'ask':
        bytes.push(encodeLine(olderQuestion));
        return;
      case 'states':
        if (!this.#isDraining) this.#listener?.onStates(effect.states);
        return;
      case 'voice':
        if (!this.#isDraining) this.#voiceListener?.onVoice(effect.row);
        return;
      case 'live':
        if (!effect.isLive && !this.#isDraining) this.#voiceListener?.onUnknown();
        // A server that speaks this protocol keeps nothing of what an older one was told.
        if (effect.isLive) this.#roster = undefined;
        if (!this.#isDraining) this.#listener?.onLive(effect.isLive, effect.why);
        return;
      case 'older':
        return this.#talkOlder();
      case 'ended':
        this.#isEnded = true;
        for (const resolve of this.#onEnd.splice(0)) resolve();
        return;
    }
  }

  #connect(): LineSocket {
    const machine = this.#machine;
    const then = (happen: (nowMs: number) => void) => (): void => {
      happen(this.#nowMs());
      this.#settle();
    };
    return new LineSocket(this.#options.address, lineBytesMax, {
      connected: then((nowMs) => machine.connected(nowMs)),
      heard: (frame) => this.#heard(frame),
      paused: () => this.#settle(),
      drained: then(() => machine.blocked(false)),
      closed: (why) => {
        machine.closed(why, this.#nowMs());
        this.#settle();
      },
    });
  }

  #heard(frame: Frame): void {
    const nowMs = this.#nowMs();
    if (frame.type === 'tooLong') return this.#machine.heardTooLong(nowMs);
    if (frame.type === 'garbage') return this.#machine.heardOdd(undefined, nowMs);
    const decoded = decodeServerLine(frame.text);
    if (decoded.ok) this.#machine.heard(decoded.line, nowMs);
    else this.#machine.heardOdd(frame.text, nowMs);
  }

  #talkOlder(): void {
    const { address, clock, times = linkTimes, random = chance, log } = this.#options;
    if (!this.#roster) {
      log.warn({ server: this.description }, 'an older state server: it is told who is here, and tells nothing of other nodes');
      this.#roster = new OlderRoster(goneMax);
      for (const live of this.#sessions.values()) if (!isVoicePlace(live.place)) this.#roster.put(live);
    }
    const onEnded = (why: string): void => {
      this.#older = undefined;
      if (this.#isDraining) this.#machine.end();
      else this.#machine.olderEnded(why, this.#nowMs());
      this.#settle();
    };
    this.#older = new OlderTalk({ address, roster: this.#roster, times, clock, random, connections: olderConnections, onEnded });
  }
}
