/**
 * Chat session: one person in one room at the terminal. Joins the library's events to lines, and typed lines to commands.
 *
 * Guarantees: what was typed is sent or reported, also over a lost connection; leaving waits a moment for what is unsent.
 */

import type { ChatClient } from './chat-client.ts';
import { ChatError } from './chat-error.ts';
import { getFile, sendFile } from './chat-files.ts';
import { changeLines, clean, messageLines, type Paint, voiceLine } from './chat-format.ts';
import { ChatPeople } from './chat-people.ts';
import { help, parseTyped, perform, type Sendable, type Typed } from './chat-typed.ts';
import { ChatUnread } from './chat-unread.ts';
import type { ConnectOptions, StateChange } from './connection.ts';
import { RoomView } from './room-view.ts';
import { systemTiming, type Timing } from './timing.ts';

export interface SessionDeps {
  readonly client: ChatClient;
  readonly connect: ConnectOptions;
  readonly user: string;
  readonly room: string;
  readonly paint: Paint;
  print(lines: readonly string[]): void;
  setNote(note: string): void;
  /** Nothing more can be done; `code` is the exit code. */
  onEnd(code: number): void;
  readonly timing?: Timing;
}

const typingEveryMs = 3_000;
/** The server's word that somebody stopped typing may be lost. */
const typingShownMs = 8_000;
const leaveWaitMs = 15_000;
const askWaitMs = 2_000;

const plural = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

export class ChatSession {
  private readonly deps: SessionDeps;
  private readonly timing: Timing;
  private readonly view = new RoomView();
  private readonly people: ChatPeople;
  private readonly unread: ChatUnread;
  private wasOnline = false;
  private isAway = false;
  private waitingAtReturn = 0;
  private typedMs = Number.NEGATIVE_INFINITY;
  private cancelTyping: () => void = () => {};
  private isEnding = false;
  private isLeaving = false;
  private failures = 0;
  /** What was typed before the room was open; undefined since it is. */
  private early: string[] | undefined = [];

  constructor(deps: SessionDeps) {
    this.deps = deps;
    this.timing = deps.timing ?? systemTiming;
    const { client, user, room } = deps;
    this.people = new ChatPeople({ client, timing: this.timing, user, room, say: (line) => this.say(line) });
    this.unread = new ChatUnread({ client, user, room, say: (line) => this.say(line) });
    client.on('state', (change) => this.onState(change));
    client.on('snapshot', ({ messages, since, hasBefore, upTo }) => {
      this.view.reset(messages);
      for (const { by } of messages) this.people.seen(by);
      if (since !== undefined) this.say(`(too far behind: what lies between is in /history)`);
      else if (hasBefore) this.say('(older messages: /history)');
      this.deps.print(messages.flatMap((message) => messageLines(message, this.deps.paint)));
      this.unread.shown(upTo);
    });
    client.on('entries', ({ entries }) => {
      this.deps.print(
        entries.flatMap((entry) => {
          this.people.noteEntry(entry);
          return changeLines(this.view.apply(entry), this.deps.paint);
        }),
      );
      this.unread.shown(entries.at(-1)?.seq ?? 0);
    });
    client.on('opened', ({ isResume, verdict, since, head }) => {
      if (isResume) void this.announceReturn(verdict === 'replay' ? head - (since ?? 0) : 0);
    });
    client.on('gone', ({ reason }) => this.fail(`you are not in ${deps.room} any more (${reason})`));
    client.on('violation', ({ kind, expectedSeq, gotSeq }) =>
      this.warn(`the node broke the order (${kind}: expected #${expectedSeq}, got #${gotSeq}); reading again`),
    );
    client.on('voice', (voice) => this.say(voiceLine(voice)));
    client.on('voiceLost', ({ channel, error }) => this.warn(`you are not in ${clean(channel)} any more: ${explain(error)}`));
    client.on('typing', ({ users }) => this.onTyping(users.filter((user) => user !== deps.user)));
  }

  /** Connects and opens the room: makes it, public, when there is none; joins when it is public. */
  async start(): Promise<void> {
    const { client, connect, room } = this.deps;
    try {
      await client.connect(connect);
      await this.unread.begin().catch((error: unknown) => this.warn(`what is unread could not be read: ${explain(error)}`));
      await this.enter();
      const early = this.early ?? [];
      this.early = undefined;
      for (const line of early) this.onLine(line);
    } catch (error) {
      this.fail(`${room}: ${explain(error)}`);
    }
  }

  private async enter(): Promise<void> {
    const { client, room } = this.deps;
    const opened = await client.open(room).catch((error: unknown) => error);
    if (!(opened instanceof ChatError)) return;
    if (opened.code === 'FORBIDDEN') await client.join(room);
    else if (opened.code === 'NOT_FOUND') {
      // Somebody may make it at the same moment.
      await client.createRoom({ kind: 'group', id: room, name: room, public: true }).catch((error: unknown) => {
        if (!(error instanceof ChatError) || error.code !== 'CONFLICT') throw error;
        return client.join(room);
      });
    } else throw opened;
    await client.open(room);
  }

  onLine(line: string): void {
    const typed = parseTyped(line);
    const { room, client } = this.deps;
    if (this.early && typed.type !== 'quit') return void this.early.push(line);
    this.typedMs = Number.NEGATIVE_INFINITY;
    switch (typed.type) {
      case 'nothing':
        return;
      case 'mistake':
        return this.say(typed.hint);
      case 'help':
        return this.deps.print(help);
      case 'quit':
        return void this.leave();
      case 'history':
        return void this.showHistory(typed.before);
      case 'file':
        return void this.ask(() => sendFile(client, room, typed.path));
      case 'get':
        return void this.ask(() => getFile(client, this.view.message(typed.target), typed.path));
      case 'voice':
        return void this.ask(() => this.useVoice(typed));
      case 'rooms':
        return void this.ask(() => this.unread.lines());
      case 'who':
        return this.deps.print([`seen in ${room}`, ...this.people.lines()]);
      default:
        this.send(typed);
    }
  }

  /** Tells the room, at most every 3 s, while a message is being typed. */
  onInput(line: string): void {
    const nowMs = this.timing.nowMs();
    if (line === '' || line.startsWith('/') || nowMs - this.typedMs < typingEveryMs) return;
    this.typedMs = nowMs;
    this.deps.client.typing(this.deps.room);
  }

  /** Waits a bounded time for what is unsent, then ends. */
  async leave(): Promise<void> {
    const { client } = this.deps;
    if (this.isLeaving || this.isEnding) return this.end(client.waiting === 0 ? 0 : 1);
    this.isLeaving = true;
    const untilMs = this.timing.nowMs() + leaveWaitMs;
    while (!this.isEnding && (client.waiting > 0 || this.early !== undefined) && this.timing.nowMs() < untilMs) await this.pause(50);
    if (this.isEnding) return;
    if (client.waiting > 0) this.warn(`${plural(client.waiting, 'message was', 'messages were')} not sent`);
    this.end(client.waiting === 0 ? 0 : 1);
  }

  private send(typed: Sendable): void {
    const { client, room } = this.deps;
    perform(client, room, typed).catch((error: unknown) => {
      if (!this.isEnding || !(error instanceof ChatError) || error.code !== 'ENDED') this.warn(`not sent: ${explain(error)}`);
    });
    if (!client.isOnline) this.say(`… offline, ${plural(client.waiting, 'message', 'messages')} waiting for ${room}`);
  }

  private showHistory(before: number | undefined): Promise<void> {
    const { client, room, paint } = this.deps;
    return this.ask(async () => {
      const oldest = before ?? this.view.messages()[0]?.seq ?? Number.MAX_SAFE_INTEGER;
      const page = await client.history(room, { before: Math.max(1, oldest), limit: 50 });
      this.view.addPage(page.entries);
      if (page.entries.length === 0) return ['(nothing older)'];
      return [
        oldest === Number.MAX_SAFE_INTEGER ? '(history)' : `(history before #${oldest})`,
        ...page.entries.flatMap((message) => messageLines(message, paint)),
        page.hasBefore ? '(older: /history)' : '(the beginning)',
      ];
    });
  }

  private async useVoice({ community, channel, isOff }: Extract<Typed, { type: 'voice' }>): Promise<readonly string[]> {
    const { client, room } = this.deps;
    if (isOff) {
      await client.leaveVoice();
      return ['(out of the voice channel)'];
    }
    const isCall = community === undefined;
    if (!isCall && channel === undefined) return [voiceLine(await client.listVoice(community))];
    return [voiceLine(await client.enterVoice(community ?? room, channel ?? room))];
  }

  private async ask(work: () => Promise<readonly string[]>): Promise<void> {
    try {
      // What was sent before the question is in the answer.
      const { client } = this.deps;
      for (let wait = 0; client.isOnline && client.waiting > 0 && wait < askWaitMs; wait += 20) await this.pause(20);
      this.deps.print(await work());
    } catch (error) {
      this.warn(explain(error));
    }
  }

  private async announceReturn(resumed: number): Promise<void> {
    const { client } = this.deps;
    const waiting = this.waitingAtReturn;
    for (let wait = 0; client.isOnline && client.waiting > 0 && wait < askWaitMs; wait += 20) await this.pause(20);
    const sent = Math.max(0, waiting - client.waiting);
    if (!this.isEnding)
      this.say(`back online: ${plural(resumed, 'entry', 'entries')} resumed, ${plural(sent, 'message', 'messages')} sent`);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.timing.after(ms, resolve));
  }

  private onTyping(users: readonly string[]): void {
    this.cancelTyping();
    const shown = users.slice(0, 3).map(clean).join(', ');
    this.deps.setNote(shown === '' ? '' : `(${shown}${users.length > 3 ? ' and others' : ''} typing …)`);
    if (shown !== '') this.cancelTyping = this.timing.after(typingShownMs, () => this.deps.setNote(''));
  }

  private get nodes(): readonly string[] {
    const { url, urls = [] } = this.deps.connect;
    return url === undefined ? urls : [url].flat();
  }

  private onState({ state, reason, code, url = '' }: StateChange): void {
    const { client } = this.deps;
    if (this.isEnding) return;
    if (state === 'online') {
      // With several nodes one wants to know which: to kill it, say.
      if (this.nodes.length > 1 && this.isAway) this.say(`now on ${url}`);
      else if (this.nodes.length > 1 && !this.wasOnline) this.say(`on ${url}`);
      this.waitingAtReturn = client.waiting;
      this.wasOnline = true;
      this.isAway = false;
    } else if (state === 'offline' && !this.wasOnline) {
      this.failures += 1;
      if (this.failures >= [this.deps.connect.url].flat().length)
        this.fail(
          `cannot reach ${String(this.deps.connect.url ?? this.deps.connect.urls)}: ${clean(reason)}; is the node running? npm start`,
        );
    } else if (state === 'offline' && !this.isAway) {
      this.isAway = true;
      this.warn(`connection lost (${clean(reason)}) … offline, ${plural(client.waiting, 'message', 'messages')} waiting`);
    } else if (state === 'closed') this.fail(`closed by the node: ${code ?? ''} ${clean(reason)}`);
  }

  private fail(line: string): void {
    if (this.isEnding) return;
    this.isEnding = true;
    this.warn(line);
    this.end(1);
  }

  private end(code: number): void {
    this.isEnding = true;
    this.cancelTyping();
    this.deps.client.end();
    this.deps.onEnd(code);
  }

  private say(line: string): void {
    this.deps.print([this.deps.paint.dim(line)]);
  }

  private warn(line: string): void {
    this.deps.print([this.deps.paint.warn(line)]);
  }
}

export function explain(error: unknown): string {
  if (error instanceof ChatError) return `${error.code}: ${clean(error.message)}`;
  return clean(error instanceof Error ? error.message : String(error));
}
