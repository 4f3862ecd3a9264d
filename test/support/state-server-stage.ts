/**
 * StateServerStage: a real state server on a free port of loopback, with the clients a test opens; all of it ends with the test.
 */
import { createLogger } from '../../system/logger.ts';
import type { StateKeep } from '../../system/state/state-keep.ts';
import type { StateRow } from '../../system/state/state-lines.ts';
import { type StateServer, type StateServerLimits, startStateServer } from '../../system/state/state-server.ts';
import type { StateNews } from '../../system/state/state-voice-moves.ts';
import { LineClient } from './line-client.ts';
import { type ManualClock, manualClock } from './manual-clock.ts';

export interface StateServerStage {
  readonly server: StateServer;
  readonly clock: ManualClock;
  /** The server stands still for so long: time passes and it does nothing. */
  sleep(ms: number): void;
  readonly transitions: StateNews[];
  /** Parsed log lines. */
  readonly log: Record<string, unknown>[];
  open(): Promise<LineClient>;
  /** A node that was let in. */
  node(name: string, inc?: string): Promise<LineClient>;
  /** The next pushed rows; time moves for the pause between two pushes of a user. */
  changes(client: LineClient): Promise<readonly StateRow[]>;
  stop(): Promise<void>;
}

export async function startStateStage(
  given: {
    readonly port?: number;
    readonly secret?: string;
    readonly limits?: Partial<StateServerLimits>;
    readonly settleMs?: number;
    readonly keep?: StateKeep;
  } = {},
): Promise<StateServerStage> {
  const clock = manualClock();
  let sleptMs = 0;
  const transitions: StateNews[] = [];
  const lines: Record<string, unknown>[] = [];
  const clients: LineClient[] = [];
  const log = createLogger({ level: 'debug', base: {}, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const server = await startStateServer({
    host: '127.0.0.1',
    port: 0,
    clock: { ...clock, nowMs: () => clock.nowMs() + sleptMs },
    log,
    onNews: (some) => void transitions.push(...some),
    ...given,
  });
  const open = async (): Promise<LineClient> => {
    const client = await LineClient.open(server.port);
    clients.push(client);
    return client;
  };
  return {
    server,
    clock,
    sleep: (ms) => {
      sleptMs += ms;
    },
    transitions,
    log: lines,
    open,
    async node(name, inc = `${name}.1`) {
      const client = await open();
      const hello = await client.request({ type: 'hello', v: 1, node: name, inc });
      if (hello.type !== 'hello') throw new Error(`not let in: ${JSON.stringify(hello)}`);
      return client;
    },
    async changes(client) {
      clock.advance(50);
      const line = await client.heard();
      if (line.type !== 'changes') throw new Error(`heard ${JSON.stringify(line)} instead of changes`);
      return line.states;
    },
    async stop() {
      for (const client of clients) client.socket.destroy();
      await server.stop();
    },
  };
}
