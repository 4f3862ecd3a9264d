/**
 * Log reader: reads a room's whole log back through a fresh client, as any newcomer could.
 *
 * Guarantees: resolves with every entry up to the head at the time of its own joining, or rejects by the deadline.
 * Where the server will not replay that much it takes history pages: messages only, and says so (`isRaw: false`).
 */
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { ChatError } from '../../gateway/client/chat-error.ts';
import type { ConnectOptions } from '../../gateway/client/connection.ts';
import type { Timing } from '../../gateway/client/timing.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';

export interface ReadLog {
  readonly entries: readonly WireEntry[];
  readonly isRaw: boolean;
  /** What the client library reported while reading. */
  readonly complaints: readonly string[];
}

const pollMs = 20;

export async function readLog(room: string, connect: ConnectOptions, timing: Timing, deadlineMs: number): Promise<ReadLog> {
  const client = new ChatClient();
  const untilMs = timing.nowMs() + deadlineMs;
  const late = new Promise<never>((_, reject) => {
    timing.after(deadlineMs, () => reject(new Error(`the log of ${room} could not be read within ${deadlineMs} ms`)));
  });
  late.catch(() => {});
  const entries: WireEntry[] = [];
  const complaints: string[] = [];
  let isRaw = true;
  client.on('entries', (event) => entries.push(...event.entries));
  client.on('snapshot', () => {
    isRaw = false;
  });
  client.on('violation', ({ kind, expectedSeq, gotSeq }) =>
    complaints.push(`read back: ${kind}: #${gotSeq} where #${expectedSeq} belongs`),
  );
  const patiently = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ChatError) || !error.retryable || timing.nowMs() > untilMs) throw error;
        await new Promise<void>((resolve) => timing.after(200, resolve));
      }
    }
  };
  const read = async (): Promise<ReadLog> => {
    await client.connect(connect);
    const { head } = await patiently(() => client.join(room));
    await client.open(room, { since: 0 });
    while (isRaw && (entries.at(-1)?.seq ?? 0) < head) await new Promise<void>((resolve) => timing.after(pollMs, resolve));
    if (isRaw) return { entries, isRaw, complaints };
    const pages: WireEntry[] = [];
    for (;;) {
      const page = await patiently(() => client.history(room, { after: pages.at(-1)?.seq ?? 0, limit: 100 }));
      pages.push(...page.entries);
      if (!page.hasAfter || page.entries.length === 0) return { entries: pages, isRaw, complaints };
    }
  };
  try {
    return await Promise.race([read(), late]);
  } finally {
    client.end();
  }
}
