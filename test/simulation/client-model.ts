/**
 * ClientModel: one device of a user. Opens its rooms, sends commands with a cid, mostly one at a time, repeats each until it
 * is decided (perhaps through another node), and resumes after a cut from the last seq it was shown.
 *
 * It believes what it is told and checks nothing: every fact goes to the checker.
 */
import type { WriteCommand } from '../../actors/room-fold.ts';
import type { AnsweredOutcome } from '../../actors/room-protocol.ts';
import { errorTable } from '../../system/errors.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import { type Entry, isMessage } from '../../system/store/entry.ts';
import type { Checker, SendRecord } from './checker.ts';
import { type ClientSide, Connection, type Frame } from './connection.ts';
import { compose } from './conversation.ts';
import type { NodeModel } from './node-model.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

interface Sending {
  readonly record: SendRecord;
  readonly command: WriteCommand;
  request: number;
}

interface RoomView {
  readonly room: RoomId;
  /** The last seq this client was shown, across all connections. */
  last: number | undefined;
  epoch: string | undefined;
  isOpen: boolean;
  openRequest: { readonly id: number; readonly since: number | undefined } | undefined;
  readonly sendings: Set<Sending>;
  sent: number;
  readonly messages: number[];
}

export class ClientModel implements ClientSide {
  readonly name: string;
  readonly user: UserId;
  readonly views: RoomView[];
  connection: Connection | undefined;
  private readonly world: World;
  private readonly random: Random;
  private readonly nodes: readonly NodeModel[];
  private readonly checker: Checker;
  private readonly others: readonly UserId[];
  private requests = 0;

  constructor(
    world: World,
    index: number,
    user: UserId,
    others: readonly UserId[],
    rooms: readonly RoomId[],
    nodes: readonly NodeModel[],
    checker: Checker,
  ) {
    this.world = world;
    this.name = `c${index + 1}`;
    this.user = user;
    this.others = others;
    this.nodes = nodes;
    this.checker = checker;
    this.random = world.random(`client ${this.name}`);
    this.views = rooms.map((room) => ({
      room,
      last: undefined,
      epoch: undefined,
      isOpen: false,
      openRequest: undefined,
      sendings: new Set(),
      sent: 0,
      messages: [],
    }));
    world.after(this.random.int(0, 100), () => this.connect());
    for (const view of this.views) this.thinkLater(view);
  }

  // ---- connection ----

  private connect(): void {
    if (this.connection) return;
    const up = this.nodes.filter((node) => node.isUp);
    const node = up.length === 0 ? undefined : this.random.pick(up);
    if (!node) {
      this.world.after(this.random.int(50, 300), () => this.connect());
      return;
    }
    const connection = new Connection(this.world, `${this.name}#${(this.requests += 1)}`, this.user, this, node);
    this.connection = connection;
    node.accept(connection);
    if (this.world.isTracing)
      for (const { room } of this.views) this.world.say(room, `${this.name} ${this.user} connects to ${node.name} as ${connection.id}`);
    for (const view of this.views) {
      this.open(view);
      for (const sending of view.sendings) this.send(view, sending);
    }
  }

  onCut(connection: Connection): void {
    if (this.connection !== connection) return;
    this.connection = undefined;
    for (const view of this.views) {
      view.isOpen = false;
      view.openRequest = undefined;
      this.checker.closed(this, view.room);
      if (this.world.isTracing) this.world.say(view.room, `${this.name} ${this.user} lost ${connection.id}`);
    }
    this.world.after(this.random.int(1, 300), () => this.connect());
  }

  /** Not answered in time: the connection may be dead without our knowing. */
  private suspect(connection: Connection): void {
    if (this.connection === connection) connection.cut();
  }

  private open(view: RoomView): void {
    const { connection } = this;
    if (!connection || view.openRequest) return;
    const id = (this.requests += 1);
    const isFresh = view.last === undefined || this.random.chance(this.world.options.fresh);
    const since = isFresh ? undefined : view.last;
    view.openRequest = { id, since };
    view.isOpen = false;
    this.checker.opening(this, view.room, id, since);
    connection.request(id, {
      type: 'open',
      room: view.room,
      limit: this.random.int(1, 10),
      ...(since === undefined ? {} : { since }),
      ...(view.epoch === undefined ? {} : { epoch: view.epoch }),
    });
    this.world.after(this.random.int(6000, 8000), () => {
      if (view.openRequest?.id === id) this.suspect(connection);
    });
  }

  // ---- what it hears ----

  onFrame(connection: Connection, frame: Frame): void {
    if (this.connection !== connection) return;
    const view = this.views.find((candidate) => candidate.room === frame.room);
    if (!view) return;
    switch (frame.type) {
      case 'entries':
        // After a close, or before the answer of an open: of no interest to the application.
        if (view.isOpen) this.show(view, frame.entries);
        return;
      case 'gone':
        view.isOpen = false;
        this.checker.gone(this, view.room);
        if (this.world.isTracing) this.world.say(view.room, `${this.name} ${this.user} is told gone: ${frame.reason}`);
        this.reopenLater(view, connection);
        return;
      case 'answer':
        if (frame.outcome.type === 'page') return this.checker.page(this, view.room, frame.request, frame.from, frame.outcome.upTo);
        if (frame.request === view.openRequest?.id) return this.onOpened(view, connection, frame.request, frame.from, frame.outcome);
        for (const sending of view.sendings)
          if (frame.request === sending.request) return this.onAnswer(view, sending, frame.from, frame.outcome);
    }
  }

  private show(view: RoomView, entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.checker.shown(this, view.room, entry, view.last);
      view.last = entry.seq;
      if (isMessage(entry)) view.messages.push(entry.seq);
    }
    if (this.world.isTracing && entries.length > 0)
      this.world.say(view.room, `${this.name} ${this.user} is shown ${entries.map((entry) => entry.seq).join(' ')}`);
  }

  private reopenLater(view: RoomView, connection: Connection): void {
    this.world.after(this.random.int(20, 600), () => {
      if (this.connection === connection && !view.isOpen) this.open(view);
    });
  }

  private onOpened(view: RoomView, connection: Connection, request: number, from: string, outcome: AnsweredOutcome): void {
    const since = view.openRequest?.since;
    view.openRequest = undefined;
    if (this.world.isTracing)
      this.world.say(
        view.room,
        `${this.name} ${this.user} opened since ${since}: ${outcome.type === 'opened' ? `${outcome.verdict} up to ${outcome.upTo} of ${outcome.head}` : outcome.type === 'refused' ? outcome.code : outcome.type}`,
      );
    this.checker.opened(this, view.room, request, from, since, outcome);
    if (outcome.type !== 'opened' || outcome.verdict === 'denied' || outcome.verdict === 'gone') return this.reopenLater(view, connection);
    view.isOpen = true;
    view.epoch = outcome.epoch;
    if (outcome.verdict === 'snapshot') {
      this.world.count('snapshot jump', since === undefined ? 0 : 1);
      for (const entry of outcome.entries) view.messages.push(entry.seq);
    } else {
      this.world.count('resumed', outcome.entries.length > 0 ? 1 : 0);
      // An application applies what it has not been shown yet; a repeated `since` must not have moved.
      this.show(view, outcome.entries);
    }
    view.last = outcome.upTo;
  }

  // ---- what it does ----

  private thinkLater(view: RoomView): void {
    this.world.after(this.random.int(20, 900), () => this.think(view));
  }

  private think(view: RoomView): void {
    const { options, isFaulty } = this.world;
    if (!isFaulty) return;
    this.thinkLater(view);
    const { connection } = this;
    if (!connection) return;
    if (view.isOpen && this.random.chance(options.reopen * 0.7)) {
      connection.request((this.requests += 1), { type: 'close', room: view.room });
      view.isOpen = false;
      this.checker.closed(this, view.room);
      this.reopenLater(view, connection);
    } else if (view.isOpen && this.random.chance(options.reopen)) this.open(view);
    if (view.openRequest && this.random.chance(options.reopen)) {
      // Left and entered again, before the first answer: that one is of no interest any more.
      connection.request((this.requests += 1), { type: 'close', room: view.room });
      view.openRequest = undefined;
      this.open(view);
    }
    if (this.random.chance(0.08)) {
      const id = (this.requests += 1);
      this.checker.asking(this, view.room, id);
      connection.request(id, { type: 'history', room: view.room });
    }
    const mayHurry = view.sendings.size === 1 && this.random.chance(options.hurry);
    if ((view.sendings.size > 0 && !mayHurry) || view.sent >= options.opsPerClient) return;
    this.sendNew(view, connection);
    if (this.random.chance(options.hurry / 2) && view.sent < options.opsPerClient)
      this.world.after(this.random.next(), () => {
        if (this.connection === connection && view.sendings.size < 2) this.sendNew(view, connection);
      });
  }

  private sendNew(view: RoomView, connection: Connection): void {
    view.sent += 1;
    const command: WriteCommand = {
      by: this.user,
      cid: `${this.name}-${view.sent}` as Cid,
      write: compose(this.random, `text ${this.name} ${view.sent}`, view.messages, this.others),
    };
    const sending = { command, request: 0, record: this.checker.invoked(this, view.room, command, connection.id) };
    view.sendings.add(sending);
    this.send(view, sending);
  }

  private send(view: RoomView, sending: Sending): void {
    const { connection } = this;
    if (!connection) return;
    const id = (this.requests += 1);
    sending.request = id;
    this.checker.attempted(sending.record);
    if (this.world.isTracing)
      this.world.say(
        view.room,
        `${this.name} ${this.user} sends ${sending.command.cid} ${JSON.stringify(sending.command.write)} by ${connection.id}`,
      );
    connection.request(id, { type: 'command', room: view.room, command: sending.command });
    this.world.after(this.random.int(300, 4000), () => {
      if (!view.sendings.has(sending) || sending.request !== id) return;
      // Still waiting: again on the same connection, or give the connection up.
      if (this.random.chance(0.4)) this.suspect(connection);
      this.send(view, sending);
    });
  }

  private onAnswer(view: RoomView, sending: Sending, from: string, outcome: AnsweredOutcome): void {
    if (this.world.isTracing)
      this.world.say(
        view.room,
        `${this.name} ${this.user} hears of ${sending.command.cid}: ${outcome.type === 'stored' ? `stored as ${outcome.entry.seq}${outcome.dup ? ' (dup)' : ''}` : outcome.type === 'refused' ? outcome.code : outcome.type} from ${from}`,
      );
    this.checker.answered(sending.record, from, outcome);
    if (outcome.type === 'refused' && errorTable[outcome.code].retryable) {
      sending.request = 0;
      this.world.after(this.random.int(20, 500), () => {
        if (view.sendings.has(sending) && sending.request === 0) this.send(view, sending);
      });
      return;
    }
    view.sendings.delete(sending);
  }

  // ---- faults ----

  maybeFault(): void {
    const { options } = this.world;
    const { connection, random } = this;
    if (!connection) return;
    if (random.chance(options.cut)) {
      if (this.world.isTracing)
        for (const { room } of this.views) this.world.say(room, `${this.name} ${this.user} CUT of ${connection.id}`);
      this.world.count('cut');
      connection.cut();
    } else if (random.chance(options.slow)) connection.stall(random.int(100, 2500));
  }
}
