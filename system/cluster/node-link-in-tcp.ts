/**
 * NodeLinkIn: one connection that another node opened to this one, over TCP: it proves itself, then asks.
 *
 * Guarantees: nothing is believed, and little is kept, before the proof; a peer that is silent, does not read or says what is not its
 * next line is cut within a stated time; at most `questionsMax` of its questions are being answered; one write per turn.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { type Incarnation, newId } from '../ids.ts';
import { encodeLine, type Frame } from '../state/frame-codec.ts';
import { LineConnection } from '../state/line-connection.ts';
import type { LinkTimes } from '../state/link-times.ts';
import { type NodeAnswerer, type NodeLinkEvent, questionsMax } from './node-link.ts';
import {
  decodeAskerLine,
  decodeSealed,
  encodeSealed,
  isLinkProof,
  LineSeal,
  type LinkIdentity,
  type Nonces,
  proveLink,
  type SealedLine,
} from './node-link-lines.ts';
import { linkLineBytesMax } from './node-link-out-tcp.ts';

export interface NodeLinkInHost {
  readonly self: LinkIdentity;
  readonly secret: string;
  readonly clock: Clock;
  readonly times: LinkTimes;
  readonly answer: NodeAnswerer;
  readonly count: (event: NodeLinkEvent, by?: number) => void;
  readonly note: (level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string) => void;
  readonly closed: (connection: NodeLinkIn) => void;
}

type Phase =
  | { readonly type: 'new' }
  | { readonly type: 'proving'; readonly nonces: Nonces; readonly asker: LinkIdentity }
  | { readonly type: 'live'; readonly asker: LinkIdentity; readonly say: LineSeal; readonly hear: LineSeal }
  | { readonly type: 'over' };

/** A hello and a proof are shorter. */
const introductionBytesMax = 4_096;

export class NodeLinkIn {
  readonly #host: NodeLinkInHost;
  readonly #connection: LineConnection;
  readonly #peer: string;
  #phase: Phase = { type: 'new' };
  #heardAtMs: number;
  /** Being answered. */
  #open = 0;
  #lines: SealedLine[] = [];
  #isDue = false;

  constructor(host: NodeLinkInHost, socket: Socket) {
    this.#host = host;
    this.#peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.#heardAtMs = host.clock.nowMs();
    this.#connection = new LineConnection({
      socket,
      lineBytesMax: introductionBytesMax,
      clock: host.clock,
      onFrame: (frame) => this.#onFrame(frame),
      // Between them they hold no more than a line each: see acceptedMax, linkLineBytesMax.
      onHeld: () => {},
      onRoom: () => this.#flush(),
      onClose: () => this.#end('the other end closed it'),
    });
  }

  get isLive(): boolean {
    return this.#phase.type === 'live';
  }

  /** Cuts who takes too long. `stoodStillMs`: for so long this process could hear nobody. */
  tick(stoodStillMs: number): void {
    this.#heardAtMs += stoodStillMs;
    this.#connection.forgive(stoodStillMs);
    const { clock, times } = this.#host;
    const nowMs = clock.nowMs();
    if (this.#phase.type !== 'live') {
      if (nowMs - this.#heardAtMs >= times.greetMs) this.cut('no proof came in time');
    } else if (nowMs - this.#heardAtMs >= times.deadMs) this.cut('it was silent for too long');
    else if (nowMs - (this.#connection.blockedSinceMs ?? nowMs) >= times.deadMs) this.cut('it does not read');
  }

  cut(why: string): void {
    this.#end(why);
    this.#connection.cut();
  }

  // ---- lines ----

  #onFrame(frame: Frame): void {
    if (frame.type !== 'line') return this.#turnAway('garbage', 'what came is no line');
    switch (this.#phase.type) {
      case 'new':
        return this.#hello(frame.text);
      case 'proving':
        return this.#prove(frame.text, this.#phase.nonces, this.#phase.asker);
      case 'live':
        return this.#sealed(frame.text, this.#phase.hear, this.#phase.asker.inc);
      case 'over':
        return;
    }
  }

  #hello(text: string): void {
    const line = decodeAskerLine(text);
    if (line?.type !== 'hello') return this.#turnAway('garbage', 'its first line was no hello');
    const { self, secret } = this.#host;
    if (line.to !== self.inc) return this.#refuse(`this is ${self.inc}`);
    const nonces = { asker: line.nonce, answerer: newId() };
    this.#phase = { type: 'proving', nonces, asker: { node: line.node, inc: line.inc } };
    const mac = proveLink(secret, 'answerer', nonces, self);
    this.#connection.send(encodeLine(JSON.stringify({ type: 'hello', v: 1, node: self.node, inc: self.inc, nonce: nonces.answerer, mac })));
  }

  #prove(text: string, nonces: Nonces, asker: LinkIdentity): void {
    const { secret, clock, note } = this.#host;
    const line = decodeAskerLine(text);
    if (line?.type !== 'auth') return this.#turnAway('garbage', 'a proof was to come');
    if (!isLinkProof(line.mac, secret, 'asker', nonces, asker)) return this.#turnAway('forged', 'its proof is wrong');
    this.#phase = { type: 'live', asker, say: new LineSeal(secret, 'answerer', nonces), hear: new LineSeal(secret, 'asker', nonces) };
    this.#connection.lineBytesMax = linkLineBytesMax;
    this.#heardAtMs = clock.nowMs();
    this.#say({ type: 'pong' });
    note('info', 'link.up', { from: asker.inc, peer: this.#peer }, 'another node is connected');
  }

  #sealed(text: string, seal: LineSeal, from: string): void {
    const body = seal.open(text);
    if (body === undefined) return this.#turnAway('forged', 'a line is not the next one of that node');
    const line = decodeSealed(body);
    this.#heardAtMs = this.#host.clock.nowMs();
    if (line?.type === 'ping') return this.#say({ type: 'pong' });
    if (line?.type !== 'question') return this.#turnAway('garbage', 'a line says nothing');
    this.#question(line.id, line.text, from as Incarnation);
  }

  #question(id: number, text: string, from: Incarnation): void {
    if (this.#open >= questionsMax) return this.#say({ type: 'none', id });
    this.#host.count('taken');
    this.#open += 1;
    let isAnswered = false;
    this.#host.answer(from, text, (answer) => {
      if (isAnswered) return;
      isAnswered = true;
      this.#open -= 1;
      this.#say(answer === undefined ? { type: 'none', id } : { type: 'answer', id, text: answer });
    });
  }

  #say(line: SealedLine): void {
    if (this.#phase.type !== 'live') return;
    this.#lines.push(line);
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#flush();
    });
  }

  /** All answers of a turn in one write; while the peer does not read, they wait: no more than it may ask. */
  #flush(): void {
    if (this.#phase.type !== 'live' || this.#lines.length === 0 || this.#connection.blockedSinceMs !== undefined) return;
    const { say } = this.#phase;
    const lines = this.#lines.map((line) => encodeLine(say.seal(encodeSealed(line))));
    this.#lines = [];
    this.#connection.send(Buffer.concat(lines));
  }

  #turnAway(event: 'garbage' | 'forged', why: string): void {
    this.#host.count(event);
    this.#refuse(why);
  }

  /** Who has not proved itself is told why; a node's own connection just ends. */
  #refuse(why: string): void {
    const isLive = this.#phase.type === 'live';
    this.#end(why);
    this.#connection.finish(isLive ? undefined : encodeLine(JSON.stringify({ type: 'refused', why })));
  }

  #end(why: string): void {
    if (this.#phase.type === 'over') return;
    const { note, closed } = this.#host;
    const from = this.#phase.type === 'live' ? { from: this.#phase.asker.inc } : undefined;
    this.#phase = { type: 'over' };
    this.#lines = [];
    if (from) note('info', 'link.down', { ...from, peer: this.#peer, why }, 'the connection of another node has ended');
    else note('warn', 'link.refused', { peer: this.#peer, why }, 'somebody was not let in as a node');
    closed(this);
  }
}
