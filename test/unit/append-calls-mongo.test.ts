import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../system/ids.ts';
import { AppendCalls } from '../../system/store/append-calls-mongo.ts';
import { type EntryRow, encodeRow } from '../../system/store/entry-mongo.ts';
import type { MongoDatabase } from '../../system/store/mongo-database.ts';
import type { AppendOutcome } from '../../system/store/room-log.ts';
import { cidOf, messageEntry, userOf } from '../bench/sample-entries.ts';

interface Call {
  readonly rows: readonly EntryRow[];
  readonly ordered: boolean;
  answer(error?: unknown): void;
}

class Stage {
  readonly open: Call[] = [];
  readonly outcomes = new Map<string, AppendOutcome>();
  private readonly calls: AppendCalls;

  constructor() {
    const insertMany = (rows: readonly EntryRow[], { ordered }: { readonly ordered: boolean }) =>
      new Promise<void>((resolve, reject) => {
        const call: Call = {
          rows,
          ordered,
          answer: (error) => {
            this.open.splice(this.open.indexOf(call), 1);
            if (error === undefined) resolve();
            else reject(error);
          },
        };
        this.open.push(call);
      });
    this.calls = new AppendCalls({ entries: { insertMany } } as unknown as MongoDatabase);
  }

  append(room: string, seq: number, count = 1): void {
    const rows = Array.from({ length: count }, (_, index) =>
      encodeRow(room as RoomId, messageEntry(seq + index, seq + index, userOf(1), cidOf(seq + index), 'hello')),
    );
    void this.calls.submit(room as RoomId, rows).then((outcome) => this.outcomes.set(`${room} ${seq}`, outcome));
  }

  appendRooms(count: number, first = 0): void {
    for (let room = 0; room < count; room += 1) this.append(`r${first + room}`, 1);
  }

  get sizes(): readonly number[] {
    return this.open.map(({ rows }) => rows.length);
  }

  /** What was answered or submitted takes effect. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  }
}

describe('Appends that wait for MongoDB', () => {
  it('of few rooms go in one unordered call', async () => {
    const stage = new Stage();
    stage.appendRooms(20);
    await stage.settle();
    expect(stage.sizes).toEqual([20]);
    expect(stage.open[0]?.ordered).toBe(false);
  });

  it('of 200 rooms go 64 a call, so that the first answers come soon', async () => {
    const stage = new Stage();
    stage.appendRooms(200);
    await stage.settle();
    expect(stage.sizes).toEqual([64, 64, 64, 8]);
  });

  it('of more rooms than four usual calls hold are spread over the four, up to 256 in one', async () => {
    const stage = new Stage();
    stage.appendRooms(400);
    await stage.settle();
    expect(stage.sizes).toEqual([100, 100, 100, 100]);
    const crowd = new Stage();
    crowd.appendRooms(3_000);
    await crowd.settle();
    expect(crowd.sizes).toEqual([256, 256, 256, 256]);
  });

  it('never put a room in two calls, nor twice in one, however many wait', async () => {
    const stage = new Stage();
    stage.appendRooms(300);
    for (let room = 0; room < 300; room += 1) stage.append(`r${room}`, 2);
    await stage.settle();
    let answered = 0;
    while (stage.open.length > 0) {
      const rooms = stage.open.flatMap(({ rows }) => rows.map(({ room }) => room));
      expect(new Set(rooms).size).toBe(rooms.length);
      const [first] = stage.open;
      answered += first?.rows.length ?? 0;
      first?.answer();
      await stage.settle();
    }
    expect(answered).toBe(600);
    expect([...stage.outcomes.values()].every(({ type }) => type === 'appended')).toBe(true);
  });

  it('end each by its own word: one lost its number, the others are in', async () => {
    const stage = new Stage();
    stage.appendRooms(3);
    await stage.settle();
    stage.open[0]?.answer({ code: 11_000, writeErrors: [{ index: 1, code: 11_000 }], insertedCount: 2, result: {} });
    await stage.settle();
    expect(['r0 1', 'r1 1', 'r2 1'].map((key) => stage.outcomes.get(key)?.type)).toEqual(['appended', 'conflict', 'appended']);
  });

  it('are all unknown when the connection broke', async () => {
    const stage = new Stage();
    stage.appendRooms(3);
    await stage.settle();
    stage.open[0]?.answer(new Error('connection closed'));
    await stage.settle();
    expect([...stage.outcomes.values()].map(({ type }) => type)).toEqual(['unknown', 'unknown', 'unknown']);
  });
});
