/**
 * LoadAppend: the load of the append path over sockets: many senders, each with one message outstanding. Nobody reads.
 *
 * Guarantees: what was acknowledged is checked at the end against the heads of the rooms.
 */
import type { LoadClient, LoadHandlers } from './load-client.ts';
import { asked, connectAs, type LoadTarget } from './load-session.ts';
import { textOf } from './message-text.ts';

export interface AppendLoadSetup extends LoadTarget {
  readonly rooms: number;
  readonly senders: number;
}

interface Sender {
  readonly client: LoadClient;
  readonly room: string;
}

const connectsAtOnce = 25;

export class LoadAppend implements LoadHandlers {
  readonly #senders: Sender[] = [];
  readonly #senderOf = new Map<LoadClient, Sender>();
  #arm: AppendLoadSetup['arm'] = 'playhouse';
  #nextId = 0;
  #acked = 0;
  #outstanding = 0;
  #isRunning = false;
  #failure: string | undefined;

  async setup({ arm, port, secret, rooms, senders }: AppendLoadSetup): Promise<void> {
    this.#arm = arm;
    const places = Array.from({ length: senders }, (_, index) => ({ user: `a-${index}`, room: `append-${index % rooms}` }));
    for (let from = 0; from < places.length; from += connectsAtOnce) {
      const group = places.slice(from, from + connectsAtOnce);
      const clients = await Promise.all(group.map(({ user }) => connectAs(user, { arm, port, secret }, this)));
      for (const [index, client] of clients.entries()) {
        const sender = { client, room: (group[index] as (typeof group)[number]).room };
        this.#senders.push(sender);
        this.#senderOf.set(client, sender);
      }
    }
    for (let index = 0; index < rooms && arm === 'playhouse'; index += 1) {
      const members = places.filter(({ room }, place) => room === `append-${index}` && place !== index).map(({ user }) => user);
      await asked(this.#senders[index]?.client, 'room:create', { kind: 'group', id: `append-${index}`, members });
    }
  }

  start(): void {
    this.#isRunning = true;
    for (const sender of this.#senders) this.#send(sender);
  }

  async measure({ durationMs }: { durationMs: number }): Promise<{ perSecond: number; counted: number; loadCpuShare: number }> {
    const cpuBefore = process.cpuUsage();
    const [startMs, ackedBefore] = [performance.now(), this.#acked];
    await new Promise((resolve) => setTimeout(resolve, durationMs));
    const [elapsedMs, counted] = [performance.now() - startMs, this.#acked - ackedBefore];
    const cpu = process.cpuUsage(cpuBefore);
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return { perSecond: (counted * 1_000) / elapsedMs, counted, loadCpuShare: (cpu.user + cpu.system) / 1_000 / elapsedMs };
  }

  async finish(): Promise<{ acked: number; stored: number }> {
    this.#isRunning = false;
    while (this.#outstanding > 0 && this.#failure === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    if (this.#failure !== undefined) throw new Error(this.#failure);
    return { acked: this.#acked, stored: await this.#stored() };
  }

  /** Messages by the rooms' own count. The create entry of a room of ours is no message. */
  async #stored(): Promise<number> {
    const openers = new Map(this.#senders.map(({ client, room }) => [room, client]));
    let stored = 0;
    for (const [room, client] of openers) {
      if (this.#arm === 'bare') stored += (await asked(client, 'join', { room }))['head'] as number;
      else stored += ((await asked(client, 'room:open', { room, limit: 1 }))['head'] as number) - 1;
    }
    return stored;
  }

  #send({ client, room }: Sender): void {
    this.#nextId += 1;
    this.#outstanding += 1;
    client.send(this.#nextId, `["message:send",{"room":"${room}","cid":"c${this.#nextId.toString(36)}","text":"${textOf(this.#nextId)}"}]`);
  }

  onAck(client: LoadClient, _id: number, data: Buffer, start: number, end: number): void {
    this.#outstanding -= 1;
    if (data[start + 7] !== 0x74) this.#failure ??= `a message was answered ${data.toString('utf8', start, end)}`;
    this.#acked += 1;
    const sender = this.#senderOf.get(client);
    if (sender && this.#isRunning) this.#send(sender);
  }

  onEvent(): void {}

  onClose(_client: LoadClient, why: string): void {
    this.#failure ??= `a connection ended: ${why}`;
  }
}
