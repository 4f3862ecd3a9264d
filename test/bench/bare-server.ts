/**
 * BareServer: the arm everything is compared with: socket.io alone, as its documentation shows it.
 *
 * No persistence, no auth, no validation, no limits. Only a number per room is added, so that order and holes can be checked.
 */
import { createServer } from 'node:http';
import { Server } from 'socket.io';

interface Sent {
  readonly room: string;
  readonly cid: string;
  readonly text: string;
}

const heads = new Map<string, number>();
const http = createServer((_request, response) => response.end('ok'));
/** Given only where a ping would end what is to be measured. */
const pingMs = process.argv[3] === undefined ? {} : { pingInterval: Number(process.argv[3]), pingTimeout: Number(process.argv[3]) };
const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, ...pingMs });

io.on('connection', (socket) => {
  socket.on('join', async ({ room }: { room: string }, answer: (value: object) => void) => {
    await socket.join(room);
    answer({ ok: true, head: heads.get(room) ?? 0 });
  });
  socket.on('message:send', ({ room, cid, text }: Sent, answer: (value: object) => void) => {
    const seq = (heads.get(room) ?? 0) + 1;
    heads.set(room, seq);
    const at = Date.now();
    io.to(room).emit('message', { room, seq, n: seq, kind: 'message', by: socket.id, at, cid, text });
    answer({ ok: true, seq, at });
  });
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));
http.listen(Number(process.argv[2]), '127.0.0.1');
