/**
 * FixedPortServer: a TCP server of loopback that can be stopped as by a kill and started again where it was.
 *
 * Guarantees: the port of the first start is that of every later one; `stop` resets every connection and frees the port.
 */
import { createServer, type Server, type Socket } from 'node:net';

export class FixedPortServer {
  private readonly onConnection: (socket: Socket) => void;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  constructor(onConnection: (socket: Socket) => void) {
    this.onConnection = onConnection;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: this.port };
  }

  get isUp(): boolean {
    return this.server !== undefined;
  }

  /** `port`: takes the place of another server that has stopped. */
  async start(port = this.port): Promise<void> {
    const server = createServer((socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      this.onConnection(socket);
    });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (typeof address === 'object' && address) this.port = address.port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }
}
