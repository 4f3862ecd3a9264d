/**
 * NodeLinkOut: this node's connection to one other life of a node, over TCP: runs the pure `OutgoingLink` and holds the questions.
 *
 * Guarantees: one write per turn; questions leave in their order, and only after the other side has proved that it knows the secret;
 * what waits is bounded by the contract's numbers. A line that is not the other side's ends the connection.
 */
import type { Clock } from '../clock.ts';
import { type Incarnation, newId } from '../ids.ts';
import { encodeLine, type Frame } from '../state/frame-codec.ts';
import { type Address, LineSocket } from '../state/line-socket-tcp.ts';
import type { LinkTimes } from '../state/link-times.ts';
import { WakeTimer } from '../state/wake-timer.ts';
import { type NodeLinkEvent, questionBytesMax, questionsMax, waitingBytesMax } from './node-link.ts';
import { decodeAnswererLine, decodeSealed, encodeSealed, isLinkProof, LineSeal, type LinkIdentity, proveLink } from './node-link-lines.ts';
import { type OutgoingEffect, OutgoingLink } from './node-link-state.ts';

export interface NodeLinkOutDeps {
  readonly self: LinkIdentity;
  readonly to: Incarnation;
  readonly address: Address;
  readonly secret: string;
  readonly clock: Clock;
  readonly times: LinkTimes;
  readonly random: () => number;
  readonly count: (event: NodeLinkEvent, by?: number) => void;
  readonly note: (level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string) => void;
}

type Asker = (answer: string | undefined) => void;

/** A question with its seal, its number and its end. */
export const linkLineBytesMax = questionBytesMax + 256;

export class NodeLinkOut {
  readonly #deps: NodeLinkOutDeps;
  readonly #machine: OutgoingLink;
  readonly #timer: WakeTimer;
  #socket: LineSocket | undefined;
  #nonce = '';
  #seals: { readonly say: LineSeal; readonly hear: LineSeal } | undefined;
  #ids = 0;
  /** Asked, whether they have left or not. */
  readonly #waiting = new Map<number, Asker>();
  /** Not yet left. */
  #queue: { readonly id: number; readonly text: string; readonly bytes: number }[] = [];
  #queuedBytes = 0;
  #isPingDue = false;
  #isBlocked = false;
  #isDue = false;

  constructor(deps: NodeLinkOutDeps) {
    this.#deps = deps;
    this.#machine = new OutgoingLink(deps.times, deps.random);
    this.#timer = new WakeTimer(deps.clock, () => {
      this.#machine.tick(this.#nowMs);
      this.#settle();
    });
  }

  get isLive(): boolean {
    return this.#machine.isLive;
  }

  get isIdle(): boolean {
    return this.#machine.isIdle;
  }

  get isUsable(): boolean {
    return this.#machine.isUsable(this.#nowMs);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  ask(text: string, onAnswer: Asker): boolean {
    const bytes = Buffer.byteLength(text);
    const isTooMuch = this.#waiting.size >= questionsMax || this.#queuedBytes + bytes > waitingBytesMax || bytes > questionBytesMax;
    if (isTooMuch || !this.isUsable) return false;
    this.#ids += 1;
    this.#waiting.set(this.#ids, onAnswer);
    this.#queue.push({ id: this.#ids, text, bytes });
    this.#queuedBytes += bytes;
    this.#machine.asked(this.#nowMs);
    this.#soon();
    return true;
  }

  close(): void {
    this.#machine.end();
    this.#settle();
  }

  get #nowMs(): number {
    return this.#deps.clock.nowMs();
  }

  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#settle();
    });
  }

  /** Does what is to be done, then says all that may be said, in one write. */
  #settle(): void {
    for (let effects = this.#machine.take(); effects.length > 0; effects = this.#machine.take()) {
      for (const effect of effects) this.#do(effect);
    }
    this.#flush();
    this.#timer.set(this.#machine.wakeAtMs);
  }

  #do(effect: OutgoingEffect): void {
    const { self, to, note, count } = this.#deps;
    switch (effect.type) {
      case 'connect':
        this.#socket = this.#connect();
        return;
      case 'cut':
        this.#socket?.cut();
        this.#socket = undefined;
        return;
      case 'greet': {
        this.#nonce = newId();
        const hello = JSON.stringify({ type: 'hello', v: 1, node: self.node, inc: self.inc, to, nonce: this.#nonce });
        this.#socket?.send(encodeLine(hello));
        return;
      }
      case 'ping':
        this.#isPingDue = true;
        return;
      case 'live':
        note('info', 'link.up', { of: to }, 'connected to another node');
        return;
      case 'lost': {
        const lost = [...this.#waiting.values()];
        this.#waiting.clear();
        this.#queue = [];
        this.#queuedBytes = 0;
        this.#seals = undefined;
        this.#isBlocked = this.#isPingDue = false;
        count('lost', lost.length);
        note(effect.wasLive ? 'warn' : 'info', 'link.down', { of: to, why: effect.why }, 'no connection to another node');
        for (const onAnswer of lost) onAnswer(undefined);
        return;
      }
    }
  }

  #flush(): void {
    if (!this.#seals || !this.#machine.isLive || this.#isBlocked) return;
    const lines: Buffer[] = [];
    if (this.#isPingDue) lines.push(encodeLine(this.#seals.say.seal(encodeSealed({ type: 'ping' }))));
    this.#isPingDue = false;
    for (const { id, text } of this.#queue) lines.push(encodeLine(this.#seals.say.seal(encodeSealed({ type: 'question', id, text }))));
    this.#queue = [];
    this.#queuedBytes = 0;
    if (lines.length > 0 && this.#socket)
      this.#isBlocked = !this.#socket.send(lines.length === 1 ? (lines[0] as Buffer) : Buffer.concat(lines));
  }

  #connect(): LineSocket {
    const then = (happen: () => void) => (): void => {
      happen();
      this.#settle();
    };
    return new LineSocket(
      this.#deps.address,
      linkLineBytesMax,
      {
        connected: then(() => this.#machine.connected(this.#nowMs)),
        heard: (frame) => this.#heard(frame),
        paused: () => this.#settle(),
        drained: then(() => {
          this.#isBlocked = false;
        }),
        closed: (why) => {
          this.#machine.closed(why, this.#nowMs);
          this.#settle();
        },
      },
      'the other node',
    );
  }

  #heard(frame: Frame): void {
    if (frame.type !== 'line') this.#refuse('garbage', 'what came is no line');
    else if (this.#seals) this.#sealed(frame.text, this.#seals.hear);
    else this.#welcome(frame.text);
    // What was cut has said its last word.
    if (!this.#machine.isLive) this.#settle();
  }

  #welcome(text: string): void {
    const { self, to, secret } = this.#deps;
    const line = decodeAnswererLine(text);
    if (!line) return this.#refuse('garbage', 'it does not speak as a node does');
    if (line.type === 'refused') return this.#machine.fail(`refused: ${line.why}`, this.#nowMs);
    const nonces = { asker: this.#nonce, answerer: line.nonce };
    if (line.inc !== to || !isLinkProof(line.mac, secret, 'answerer', nonces, line)) return this.#refuse('forged', 'its proof is wrong');
    this.#seals = { say: new LineSeal(secret, 'asker', nonces), hear: new LineSeal(secret, 'answerer', nonces) };
    this.#socket?.send(encodeLine(JSON.stringify({ type: 'auth', mac: proveLink(secret, 'asker', nonces, self) })));
  }

  #sealed(text: string, seal: LineSeal): void {
    const body = seal.open(text);
    if (body === undefined) return this.#refuse('forged', 'a line is not the next one of that node');
    const line = decodeSealed(body);
    // The first one says that our proof was good, and that a line may be long from now on.
    if (!this.#machine.isLive && line?.type === 'pong') this.#machine.welcomed(this.#nowMs);
    if (line?.type === 'answer' || line?.type === 'none') this.#answered(line.id, line.type === 'answer' ? line.text : undefined);
    else if (line?.type !== 'pong') return this.#refuse('garbage', 'a line says nothing');
    this.#machine.heard(line.type === 'pong', this.#nowMs);
    this.#machine.answered(this.#waiting.size === 0, this.#nowMs);
  }

  #answered(id: number, answer: string | undefined): void {
    const onAnswer = this.#waiting.get(id);
    if (!onAnswer) return;
    this.#waiting.delete(id);
    this.#deps.count(answer === undefined ? 'lost' : 'answered');
    onAnswer(answer);
  }

  #refuse(event: 'garbage' | 'forged', why: string): void {
    this.#deps.count(event);
    this.#machine.fail(why, this.#nowMs);
  }
}
