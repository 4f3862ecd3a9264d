/**
 * ChatClient: the client library. One user on one connection at a time, any number of open rooms.
 *
 * Guarantees: each open room's entries reach the application once and in order, over lost connections, dead nodes and
 * restarts; what was sent is stored once (same cid on every try), per room in the order of the calls.
 * Does not: keep anything beyond the process; send typing or queries while offline (they reject with OFFLINE).
 */
import { newId } from '../../system/ids.ts';
import type {
  CommandAnswers,
  CommandEvent,
  CommandPayloads,
  WirePresence,
  WireRoom,
  WireRoomSummary,
  WireStored,
  WireVoice,
} from '../client-protocol.ts';
import { ChatError } from './chat-error.ts';
import { Connection, type ConnectOptions, type StateChange } from './connection.ts';
import { Emitter, type Listener } from './emitter.ts';
import { type DownloadedFile, FileTransfer, type Upload, type UploadedFile } from './file-transfer.ts';
import { OpenRooms, type RoomEvents } from './open-rooms.ts';
import { Outbox, type StoringCommand } from './outbox.ts';
import { type PresenceEvents, PresenceWatch } from './presence-watch.ts';
import { ReadMarks } from './read-marks.ts';
import type { CursorStart, Opened } from './room-cursor.ts';
import { type HeadSignal, type ReadSignal, toHead, toRead, toVoice } from './signals.ts';
import { systemTiming, type Timing } from './timing.ts';
import { type VoiceEvents, VoicePlace } from './voice-place.ts';

export interface ChatEvents extends RoomEvents, PresenceEvents, VoiceEvents {
  state: StateChange;
  /** How far users have read, in open rooms; of oneself also what other devices read in any room. */
  read: ReadSignal;
  /** A room that is not open here has grown. After `listRooms`; asked for again after each coming back. */
  head: HeadSignal;
  /** The list of rooms as it is after a coming back, once `listRooms` was called. */
  rooms: { readonly rooms: readonly WireRoomSummary[] };
  /** A mark of `markRead` is kept: what stands, and what is unread after it. */
  marked: { readonly room: string; readonly seq: number; readonly unread: number };
}

export interface ChatClientOptions {
  readonly timing?: Timing;
  /** How long a command may take before its outcome counts as unknown. */
  readonly ackTimeoutMs?: number;
  /** Most messages kept unsent or unacknowledged. */
  readonly outboxMax?: number;
}

export type HistoryRange = Omit<CommandPayloads['history:get'], 'room'>;

const ackTimeoutDefaultMs = 10_000;

export class ChatClient {
  private readonly timing: Timing;
  private readonly ackTimeoutMs: number;
  private readonly emitter = new Emitter<ChatEvents>();
  private readonly connection: Connection;
  private readonly outbox: Outbox;
  private readonly rooms: OpenRooms;
  private readonly people: PresenceWatch;
  private readonly marks: ReadMarks;
  private readonly voice: VoicePlace;
  private readonly files: FileTransfer;
  private hasListed = false;
  private hasEnded = false;

  constructor(options: ChatClientOptions = {}) {
    this.timing = options.timing ?? systemTiming;
    this.ackTimeoutMs = options.ackTimeoutMs ?? ackTimeoutDefaultMs;
    this.connection = new Connection(this.timing, {
      onState: (change) => this.onState(change),
      onEvent: (name, payload) => this.onEvent(name, payload),
    });
    this.people = new PresenceWatch({
      ask: (payload, done) => this.connection.ask('presence:watch', payload, this.ackTimeoutMs, done),
      isOnline: () => this.connection.isOnline,
      timing: this.timing,
      emitter: this.emitter,
    });
    this.rooms = new OpenRooms({
      askOpen: (payload, done) => this.connection.ask('room:open', payload, this.ackTimeoutMs, done),
      isOnline: () => this.connection.isOnline,
      timing: this.timing,
      emitter: this.emitter,
    });
    this.marks = new ReadMarks({
      ask: (room, seq) => this.request('read:mark', { room, seq }),
      isOnline: () => this.connection.isOnline,
      onMarked: (marked) => this.emitter.emit('marked', marked),
      timing: this.timing,
    });
    this.voice = new VoicePlace({
      enter: (payload) => this.request('voice:enter', payload),
      leave: () => this.request('voice:leave', {}),
      isOnline: () => this.connection.isOnline,
      emitter: this.emitter,
    });
    this.files = new FileTransfer({
      access: async () => {
        const access = this.hasEnded ? undefined : await this.connection.access();
        if (!access) throw new ChatError('OFFLINE', 'not connected', false);
        return access;
      },
      timing: this.timing,
    });
    this.outbox = new Outbox({
      transmit: (command) => this.transmit(command),
      isOnline: () => this.connection.isOnline,
      timing: this.timing,
      ...(options.outboxMax !== undefined && { commandsMax: options.outboxMax }),
    });
  }

  get isOnline(): boolean {
    return this.connection.isOnline;
  }

  /** Messages sent by the application and not acknowledged yet. */
  get waiting(): number {
    return this.outbox.size;
  }

  on<Name extends keyof ChatEvents>(name: Name, listener: Listener<ChatEvents[Name]>): () => void {
    return this.emitter.on(name, listener);
  }

  /**
   * Connects, and stays connected until `disconnect`, `end` or a closing for good. Resolves when online for the first
   * time, after as many tries as it takes; rejects when the server refuses for good. Calling again after `closed` or
   * `disconnect` goes on where it stopped: open rooms resume, unacknowledged messages are sent.
   */
  connect(options: ConnectOptions): Promise<void> {
    if (this.hasEnded) return Promise.reject(new ChatError('ENDED', 'this client was ended', false));
    return new Promise((resolve, reject) => {
      const remove = this.on('state', ({ state, reason, code }) => {
        if (state === 'online') resolve();
        else if (state === 'closed' || state === 'idle') reject(new ChatError(code ?? 'ENDED', reason, false));
        else return;
        remove();
      });
      this.connection.start(options);
    });
  }

  /** Goes offline and stays so; rooms and unsent messages are kept for the next `connect`. */
  disconnect(): void {
    this.connection.stop('idle', 'disconnected by the application');
  }

  /** Ends the client: everything that waits is rejected, nothing is kept. */
  end(): void {
    this.hasEnded = true;
    this.connection.stop('closed', 'ended by the application', 'ENDED');
    const error = new ChatError('ENDED', 'the client was ended', false);
    this.rooms.end(error);
    this.people.end(error);
    this.outbox.clear(error);
    this.marks.clear();
  }

  // ---- rooms ----

  async createRoom(room: CommandPayloads['room:create']): Promise<WireRoom> {
    return (await this.request('room:create', room)).room;
  }

  async listRooms(): Promise<readonly WireRoomSummary[]> {
    const { rooms } = await this.request('room:list', {});
    this.hasListed = true;
    return rooms;
  }

  async join(room: string): Promise<WireRoom> {
    return (await this.request('room:join', { room })).room;
  }

  /** When the room is open, its last entry is the leaving, then comes `gone`. */
  async leave(room: string): Promise<void> {
    await this.request('room:leave', { room });
  }

  async invite(room: string, user: string): Promise<void> {
    await this.request('room:invite', { room, user });
  }

  async kick(room: string, user: string): Promise<void> {
    await this.request('room:kick', { room, user });
  }

  /**
   * From now on this client gets the room's entries, over any number of connections. `since`: the last seq already known
   * (0: from the start); without it the answer is a snapshot. Waits for a connection; rejects when refused for good.
   */
  open(room: string, start: CursorStart = {}): Promise<Opened> {
    if (this.hasEnded) return Promise.reject(new ChatError('ENDED', 'this client was ended', false));
    return this.rooms.open(room, start);
  }

  /** Stops the room's entries. Works offline, too. */
  async close(room: string): Promise<void> {
    this.rooms.close(room);
    if (this.isOnline) await this.request('room:close', { room });
  }

  /** How far an open room was shown: for `since` and `epoch` of a later process. */
  position(room: string): { readonly seq: number; readonly epoch: string } | undefined {
    return this.rooms.position(room);
  }

  // ---- presence ----

  /**
   * From now on this client hears of these users (at most 200) and of nobody else, over any number of connections. Waits for a
   * connection; resolves with the states of then, changes come as events `presence`.
   */
  watchPresence(users: readonly string[]): Promise<readonly WirePresence[]> {
    if (this.hasEnded) return Promise.reject(new ChatError('ENDED', 'this client was ended', false));
    return this.people.watch(users);
  }

  /** What is known of a watched user now. */
  presence(user: string): WirePresence | undefined {
    return this.people.of(user);
  }

  // ---- messages: kept and sent again until acknowledged ----

  send(room: string, text: string, cid: string = newId()): Promise<WireStored> {
    return this.outbox.add({ event: 'message:send', payload: { room, cid, text } });
  }

  reply(room: string, replyTo: number, text: string, cid: string = newId()): Promise<WireStored> {
    return this.outbox.add({ event: 'message:send', payload: { room, cid, text, replyTo } });
  }

  modify(room: string, target: number, text: string, cid: string = newId()): Promise<WireStored> {
    return this.outbox.add({ event: 'message:modify', payload: { room, cid, target, text } });
  }

  delete(room: string, target: number, cid: string = newId()): Promise<WireStored> {
    return this.outbox.add({ event: 'message:delete', payload: { room, cid, target } });
  }

  react(room: string, target: number, emoji: string, on = true, cid: string = newId()): Promise<WireStored> {
    return this.outbox.add({ event: 'message:react', payload: { room, cid, target, emoji, on } });
  }

  // ---- files: over HTTP, sent again with their cid until they are answered, a few times ----

  /** Into the room's log, like a message. Not in order with messages that are on their way. */
  upload(room: string, upload: Upload): Promise<UploadedFile> {
    return this.files.upload(room, upload);
  }

  /** The bytes of `entry.file.id`. */
  download(id: string): Promise<DownloadedFile> {
    return this.files.download(id);
  }

  // ---- voice channels ----

  /** Into the channel, out of the one before; again after each coming back. `voice` tells of the community from now on. */
  enterVoice(community: string, channel: string): Promise<WireVoice> {
    return this.voice.enter(community, channel);
  }

  leaveVoice(): Promise<void> {
    return this.voice.leave();
  }

  listVoice(community: string): Promise<WireVoice> {
    return this.request('voice:list', { community });
  }

  // ---- queries ----

  history(room: string, range: HistoryRange): Promise<CommandAnswers['history:get']> {
    return this.request('history:get', { room, ...range });
  }

  /** The user has read the room up to this seq. Kept until the server has it, the highest of each room; works offline, too. */
  markRead(room: string, seq: number): void {
    if (!this.hasEnded) this.marks.mark(room, seq);
  }

  /** Tells the room that the user is typing. Never stored, never repeated, no error when it does not arrive. */
  typing(room: string): void {
    if (this.isOnline) this.request('typing', { room }).catch(() => {});
  }

  // ---- inside ----

  private request<Event extends CommandEvent>(event: Event, payload: CommandPayloads[Event]): Promise<CommandAnswers[Event]> {
    return new Promise((resolve, reject) => {
      this.connection.ask(event, payload, this.ackTimeoutMs, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  private transmit(command: StoringCommand): Promise<WireStored> {
    return this.request(command.event, command.payload);
  }

  private onEvent(name: string, payload: unknown): void {
    const read = name === 'read' ? toRead(payload) : undefined;
    const head = name === 'room:head' ? toHead(payload) : undefined;
    const voice = name === 'voice' ? toVoice(payload) : undefined;
    if (voice) this.emitter.emit('voice', voice);
    else if (read) this.emitter.emit('read', read);
    else if (head) this.emitter.emit('head', head);
    else if (name === 'presence') this.people.onEvent(payload);
    else this.rooms.onEvent(name, payload);
  }

  private onState(change: StateChange): void {
    if (change.state !== 'online') {
      this.rooms.rest();
      this.people.rest();
    }
    this.emitter.emit('state', change);
    if (change.state !== 'online') return;
    this.rooms.resume();
    this.people.resume();
    this.outbox.resume();
    this.marks.resume();
    this.voice.resume();
    if (this.hasListed) this.listAgain();
  }

  /** The connection before had asked for heads; this one has to ask for itself. */
  private listAgain(): void {
    this.listRooms().then(
      (rooms) => this.emitter.emit('rooms', { rooms }),
      () => {}, // Lost again, or too busy: the next coming back asks.
    );
  }
}
