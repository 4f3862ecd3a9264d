/**
 * FakeMongo: a server that answers what a driver asks while it connects, as a MongoDB of any version and kind would. For starts that must fail.
 *
 * Speaks OP_MSG, and OP_QUERY for the first hello. Knows hello, buildInfo, ping; everything else finds nothing (NamespaceNotFound).
 */
import { createServer, type Server, type Socket } from 'node:net';
import mongoose from 'mongoose';

const { BSON } = mongoose.mongo;
const opReply = 1;
const opQuery = 2_004;
const opMsg = 2_013;
const headerBytes = 16;

export interface FakeMongoOptions {
  readonly version: string;
  /** Without it: a server that stands alone. */
  readonly setName?: string;
}

export interface FakeMongo {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startFakeMongo(options: FakeMongoOptions): Promise<FakeMongo> {
  const sockets = new Set<Socket>();
  let port = 0;
  const answer = (command: Readonly<Record<string, unknown>>): Record<string, unknown> => {
    const [name = ''] = Object.keys(command);
    if (/^(?:hello|ismaster)$/i.test(name)) return helloOf(options, port);
    if (name.toLowerCase() === 'buildinfo') return { ok: 1, version: options.version };
    if (name === 'ping' || name === 'endSessions') return { ok: 1 };
    return { ok: 0, code: 26, codeName: 'NamespaceNotFound', errmsg: 'ns does not exist' };
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let read = Buffer.alloc(0);
    socket.on('data', (data) => {
      read = Buffer.concat([read, data]);
      while (read.length >= headerBytes && read.length >= read.readInt32LE(0)) {
        const length = read.readInt32LE(0);
        const reply = replyTo(read.subarray(0, length), answer);
        if (reply) socket.write(reply);
        read = read.subarray(length);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `mongodb://127.0.0.1:${port}/${options.setName === undefined ? '' : `?replicaSet=${options.setName}`}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function helloOf({ setName }: FakeMongoOptions, port: number): Record<string, unknown> {
  const me = `127.0.0.1:${port}`;
  return {
    ok: 1,
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    minWireVersion: 0,
    maxWireVersion: 17,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    ...(setName !== undefined && { setName, hosts: [me], me, primary: me, setVersion: 1 }),
  };
}

function replyTo(message: Buffer, answer: (command: Readonly<Record<string, unknown>>) => Record<string, unknown>): Buffer | undefined {
  const requestId = message.readInt32LE(4);
  const opCode = message.readInt32LE(12);
  if (opCode === opMsg) {
    // Flags, then section 0: one document.
    const start = headerBytes + 5;
    const command = BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
    const moreToCome = (message.readInt32LE(headerBytes) & 2) !== 0;
    if (moreToCome) return undefined;
    return framed(requestId, opMsg, Buffer.concat([Buffer.alloc(5), BSON.serialize(answer(command))]));
  }
  if (opCode !== opQuery) return undefined;
  const start = message.indexOf(0, headerBytes + 4) + 1 + 8;
  const command = BSON.deserialize(message.subarray(start, start + message.readInt32LE(start)));
  // Flags, cursor, start, one document.
  const fields = Buffer.alloc(20);
  fields.writeInt32LE(1, 16);
  return framed(requestId, opReply, Buffer.concat([fields, BSON.serialize(answer(command))]));
}

function framed(responseTo: number, opCode: number, body: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(headerBytes + body.length, 0);
  header.writeInt32LE(responseTo, 8);
  header.writeInt32LE(opCode, 12);
  return Buffer.concat([header, body]);
}
