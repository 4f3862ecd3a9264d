/**
 * StatePeer: what one connection to the state server may say, by what it has shown so far.
 *
 * A connection whose first line is a hello is a node's; with a secret it has to prove that it knows it. Any other first line makes
 * it an older client's, which is never told anything it did not ask for, and with a secret is not served.
 * Guarantees: nothing is believed, and little is kept, before the proof; a peer that is silent, does not read, or talks garbage
 * is cut within a stated time; every end has a reason in the log.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { newId } from '../ids.ts';
import { encodeLine, type Frame } from './frame-codec.ts';
import { GarbageCount } from './garbage-count.ts';
import { readLenient } from './lenient-value.ts';
import { LineConnection } from './line-connection.ts';
import type { OlderAnswer } from './older-answers.ts';
import { decodeOlderLine, type OlderRequest, olderLineBytesMax } from './older-lines.ts';
import { PushQueue } from './push-queue.ts';
import type { Hello, NodeAnswer, Refused } from './state-answers.ts';
import { decodeNodeLine, encodeServerLine } from './state-line-decoder.ts';
import { lineBytesMax, type NodeLine, type NodeRequest, type ServerLine, type StateRow } from './state-lines.ts';
import { isProof } from './state-proof.ts';
import { takeRows } from './state-rows.ts';

/** What a peer needs of the server it connected to. */
export interface PeerHost {
  /** This life of the server. */
  readonly server: string;
  readonly secret: string | undefined;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  hello(node: string, inc: string, peer: StatePeer): Hello;
  apply(life: string, request: NodeRequest): NodeAnswer;
  heard(life: string): void;
  held(deltaBytes: number): void;
  rowOf(user: string): StateRow;
  voiceLines(community: string): readonly ServerLine[];
  answer(request: OlderRequest): OlderAnswer;
  /** Called once; `life`: of the node this was the connection of, to the end. */
  closed(peer: StatePeer, life: string | undefined): void;
  note(level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string): void;
}

type Phase =
  | { readonly name: 'new' }
  | { readonly name: 'proving'; readonly node: string; readonly inc: string; readonly nonce: string }
  | { readonly name: 'node'; readonly node: string; readonly life: string }
  | { readonly name: 'older' }
  | { readonly name: 'over' };

/** For the hello, and again for the proof. Where neither a secret nor the number of connections asks for it, nobody has to hurry. */
const introductionMs = 2_000;
/** A hello and a proof are shorter. */
const introductionBytesMax = 4_096;
/** Without a line: nodes ping every 2 s. */
const silentMs = 6_000;
/** Without reading what was written. */
const nodeBlockedMs = 6_000;
const olderBlockedMs = 30_000;
/** Between two words to a node on one user, and on the voice channels of one community. */
const rowsEveryMs = 50;
const voiceEveryMs = 150;

export class StatePeer {
  readonly #host: PeerHost;
  readonly #connection: LineConnection;
  readonly #pushes: PushQueue;
  readonly #voices: PushQueue;
  readonly #garbage = new GarbageCount();
  readonly #address: string;
  /** The server has room for it. Else it is only told so, if it says hello. */
  readonly #isWelcome: boolean;
  #phase: Phase = { name: 'new' };
  #phaseSinceMs: number;
  #heardMs: number;

  constructor(host: PeerHost, socket: Socket, isWelcome: boolean) {
    this.#host = host;
    this.#isWelcome = isWelcome;
    this.#address = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? ''}`;
    this.#phaseSinceMs = this.#heardMs = host.clock.nowMs();
    this.#connection = new LineConnection({
      socket,
      lineBytesMax: this.#mustHurry ? introductionBytesMax : olderLineBytesMax,
      clock: host.clock,
      onFrame: (frame) => this.#onFrame(frame),
      onHeld: (deltaBytes) => host.held(deltaBytes),
      onRoom: () => {
        this.#pushes.resume();
        this.#voices.resume();
      },
      onClose: () => this.#onClose(),
    });
    const pushing = {
      clock: host.clock,
      isFree: () => this.#connection.isOpen && this.#connection.blockedSinceMs === undefined,
    };
    this.#pushes = new PushQueue({
      ...pushing,
      everyMs: rowsEveryMs,
      sendSome: (due) => this.#say({ type: 'changes', states: takeRows(due, (user) => host.rowOf(user)) }),
    });
    this.#voices = new PushQueue({
      ...pushing,
      everyMs: voiceEveryMs,
      sendSome: (due) => {
        const [community] = due;
        if (community === undefined) return;
        due.delete(community);
        for (const line of host.voiceLines(community)) this.#say(line); // The lines of one community go together.
      },
    });
  }

  /** Has not said a line yet. */
  get isNew(): boolean {
    return this.#phase.name === 'new';
  }

  /** Of a line whose end has not come. */
  get heldBytes(): number {
    return this.#connection.heldBytes;
  }

  /** Of a node that was let in: the user's row is told soon. */
  push(user: string): void {
    if (this.#phase.name === 'node') this.#pushes.add(user);
  }

  /** Of a node that was let in: who is in the voice channels of the community is told soon. */
  pushVoice(community: string): void {
    if (this.#phase.name === 'node') this.#voices.add(community);
  }

  /** Cuts who takes too long. */
  tick(): void {
    const nowMs = this.#host.clock.nowMs();
    const { name } = this.#phase;
    const blockedMs = nowMs - (this.#connection.blockedSinceMs ?? nowMs);
    if (name === 'proving' || (name === 'new' && this.#mustHurry)) {
      if (nowMs - this.#phaseSinceMs >= introductionMs) this.#turnAway('no proof came in time');
    } else if (name === 'node' && nowMs - this.#heardMs >= silentMs) this.cut('it was silent for too long');
    else if (blockedMs >= (name === 'node' ? nodeBlockedMs : olderBlockedMs)) this.cut('it does not read');
  }

  /** The server stood still for so long: nobody could be heard. */
  forgive(ms: number): void {
    // Whoever was heard since is not heard in the future.
    const nowMs = this.#host.clock.nowMs();
    this.#phaseSinceMs = Math.min(nowMs, this.#phaseSinceMs + ms);
    this.#heardMs = Math.min(nowMs, this.#heardMs + ms);
    this.#connection.forgive(ms);
  }

  /** A newer connection of the same node is here; what it knows is no longer this one's to end. */
  supersede(): void {
    this.#refuse({ type: 'refused', code: 'SUPERSEDED', message: 'a newer connection of this node is here' });
  }

  cut(why: string): void {
    this.#end(why);
    this.#connection.cut();
  }

  /** Ends in order: what is written still leaves. */
  finish(): void {
    this.#end(serverStops);
    this.#connection.finish();
  }

  // ---- lines ----

  #onFrame(frame: Frame): void {
    this.#heardMs = this.#host.clock.nowMs();
    if (frame.type === 'tooLong') return this.#tooLong();
    // What is no UTF-8 reads as what is no line of any kind.
    const text = frame.type === 'line' ? frame.text : '';
    switch (this.#phase.name) {
      case 'new':
        return this.#first(text);
      case 'proving':
        return this.#prove(text, this.#phase);
      case 'node':
        return this.#request(text, this.#phase.life);
      case 'older':
        return this.#olderRequest(text);
      case 'over':
        return;
    }
  }

  #first(text: string): void {
    const decoded = decodeNodeLine(text);
    if (decoded.ok && decoded.line.type === 'hello') return this.#hello(decoded.line);
    if (decoded.ok && decoded.line.type === 'health') return this.#healthy();
    if (!decoded.ok && isHello(text)) return this.#refuse(invalid(`hello: ${decoded.reason}`));
    if (this.#mustHurry) return this.#turnAway('its first line was no hello');
    this.#enter({ name: 'older' });
    this.#olderRequest(text);
  }

  #hello({ node, inc, voice }: NodeLine & { readonly type: 'hello' }): void {
    const { secret, server } = this.#host;
    // Only to who asks: a node of before takes a field that it does not know for no hello.
    const can = voice && { voice };
    if (!this.#isWelcome) {
      return this.#refuse({ type: 'refused', code: 'TOO_MANY_CONNECTIONS', message: 'the state server has too many connections' });
    }
    if (secret === undefined) return this.#admit(node, inc, { type: 'hello', v: 1, server, ...can });
    const nonce = newId();
    this.#enter({ name: 'proving', node, inc, nonce });
    this.#say({ type: 'hello', v: 1, server, nonce, ...can });
  }

  #healthy(): void {
    this.#end(healthAsked);
    this.#connection.finish(encodeServerLine({ type: 'healthy' }));
  }

  #prove(text: string, claim: Phase & { readonly name: 'proving' }): void {
    const decoded = decodeNodeLine(text);
    const { secret = '' } = this.#host;
    if (!decoded.ok || decoded.line.type !== 'auth' || !isProof(decoded.line.mac, secret, claim))
      return this.#turnAway('its proof is wrong');
    this.#admit(claim.node, claim.inc, { type: 'authenticated' });
  }

  #admit(node: string, inc: string, welcome: ServerLine): void {
    const hello = this.#host.hello(node, inc, this);
    if (!hello.ok) return this.#refuse(hello.refused);
    this.#connection.lineBytesMax = lineBytesMax;
    this.#enter({ name: 'node', node, life: hello.life });
    this.#host.note('info', 'link.up', { peer: this.#address, of: node, life: inc }, 'a node is connected to the state server');
    this.#say(welcome);
  }

  #request(text: string, life: string): void {
    const decoded = decodeNodeLine(text);
    if (!decoded.ok || isGreeting(decoded.line)) {
      this.#host.heard(life);
      this.#onGarbage(decoded.ok ? `${decoded.line.type} was said before` : decoded.reason);
      return;
    }
    const { line, push, pushVoice } = this.#host.apply(life, decoded.line);
    if (line.type === 'refused') return this.#refuse(line);
    this.#say(line);
    for (const user of push ?? []) this.#pushes.add(user);
    for (const community of pushVoice ?? []) this.#voices.add(community);
  }

  #olderRequest(text: string): void {
    const decoded = decodeOlderLine(text);
    const { reply, note } = decoded.ok ? this.#host.answer(decoded.request) : { reply: decoded.reply, note: decoded.reason };
    if (note !== undefined)
      this.#host.note('info', 'state.older', { peer: this.#address, note }, 'a line of an older client changed nothing');
    this.#connection.send(encodeLine(reply));
    if (!decoded.ok && decoded.isGarbage) this.#onGarbage(decoded.reason);
  }

  #onGarbage(reason: string): void {
    if (!this.#garbage.add(this.#host.clock.nowMs())) return;
    const message = `too many lines that say nothing; the last: ${reason}`;
    if (this.#phase.name === 'node') return this.#refuse(invalid(message));
    this.#end(message);
    this.#connection.finish();
  }

  #tooLong(): void {
    if (this.#mustHurry && this.#phase.name === 'new') return this.#turnAway('its first line was too long');
    if (this.#phase.name !== 'new' && this.#phase.name !== 'older') {
      return this.#refuse({ type: 'refused', code: 'TOO_LONG', message: `a line has at most ${lineBytesMax} bytes` });
    }
    // An older client would take a line as the reply to whatever it asks next.
    this.#end(`a line of an older client had more than ${olderLineBytesMax} bytes`);
    this.#connection.finish();
  }

  #say(line: ServerLine): void {
    this.#connection.send(encodeServerLine(line));
  }

  // ---- phases ----

  /** It has to say who it is at once: with a secret nobody else is served, and without room nobody is. */
  get #mustHurry(): boolean {
    return this.#host.secret !== undefined || !this.#isWelcome;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#phaseSinceMs = this.#host.clock.nowMs();
  }

  /** Not let in. Who has not said hello is told so only where no older client is served anyway. */
  #turnAway(why: string): void {
    if (this.#host.secret !== undefined) return this.#refuse({ type: 'refused', code: 'AUTH_REQUIRED', message: why });
    this.#end(why);
    this.#connection.finish();
  }

  #refuse(refused: Refused): void {
    this.#end(`${refused.code}: ${refused.message}`);
    this.#connection.finish(encodeServerLine(refused));
  }

  /** From here on no line counts. The life, if any, is in its grace. */
  #end(why: string): void {
    const { name } = this.#phase;
    if (name === 'over') return;
    const life = name === 'node' ? this.#phase.life : undefined;
    const about = { peer: this.#address, ...(this.#phase.name === 'node' && { of: this.#phase.node }), why };
    this.#enter({ name: 'over' });
    this.#pushes.stop();
    this.#voices.stop();
    // A node that ends its connection may be back soon; when it is not, `link.gone` is the warning.
    const level = quietEnds.includes(why) ? 'info' : 'warn';
    if (name === 'node') this.#host.note(level, 'link.down', about, 'the connection of a node to the state server has ended');
    else if (level === 'warn') this.#host.note(level, 'state.cut', about, 'a connection to the state server was ended');
    this.#host.closed(this, life);
  }

  #onClose(): void {
    this.#end(clientClosed);
  }
}

const clientClosed = 'the other end closed it';
const serverStops = 'the server stops';
const healthAsked = 'it asked whether the server is at work';
const quietEnds: readonly string[] = [clientClosed, serverStops, healthAsked];
const isGreeting = (line: NodeLine): line is Exclude<NodeLine, NodeRequest> =>
  line.type === 'hello' || line.type === 'auth' || line.type === 'health';
const invalid = (message: string): Refused => ({ type: 'refused', code: 'INVALID', message: message.slice(0, 200) });

/** A hello of another version, or one with a mistake: it is to hear so, and not to be taken for an older client. */
function isHello(text: string): boolean {
  const read = readLenient(text);
  return read.ok && read.value instanceof Map && read.value.get('type') === 'hello' && read.value.has('v');
}
