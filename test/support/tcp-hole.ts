/**
 * TcpHole: stands between nodes and one of their servers, and loses what it is told to lose without closing anything, or cuts connections.
 */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpHole {
  readonly port: number;
  /** Nothing comes through any more, either way. */
  holds: boolean;
  /** What the server says is lost; what it is told arrives. */
  losesAnswers: boolean;
  /** Ends the connections there are; new ones are taken. */
  cut(): void;
  close(): void;
}

export async function startHole(toPort: number): Promise<TcpHole> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1');
    for (const [from, to, isAnswer] of [
      [near, far, false],
      [far, near, true],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => void (hole.holds || (isAnswer && hole.losesAnswers) || to.write(data)));
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on('error', () => {});
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hole: TcpHole = {
    port: (server.address() as { readonly port: number }).port,
    holds: false,
    losesAnswers: false,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    close() {
      server.close();
      hole.cut();
    },
  };
  return hole;
}
