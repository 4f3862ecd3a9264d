/**
 * Chat: the terminal client. `npm run chat -- --user alice --room lobby [--url U[,U…] [--node N]] [--token T]`
 *
 * Owns: the arguments, where the token comes from, the exit code (0: left, everything sent).
 */
import { parseArgs } from 'node:util';
import { isRoomId, isUserId } from '../../system/ids.ts';
import { ChatClient } from './chat-client.ts';
import { paintFor } from './chat-format.ts';
import { openScreen, type Screen } from './chat-screen.ts';
import { ChatSession, explain } from './chat-session.ts';
import { defaultUrl, fetchDevToken } from './dev-token.ts';
import { beginningWith, parseUrls } from './node-urls.ts';
import { systemTiming } from './timing.ts';

const usage =
  'usage: npm run chat -- --user alice --room lobby [--url http://127.0.0.1:3000[,…] [--node N]] [--token T | CHAT_TOKEN=T]\n' +
  '  several --url: begins with any of them, or with the Nth; the next one after each failure';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      user: { type: 'string' },
      room: { type: 'string' },
      url: { type: 'string', multiple: true },
      node: { type: 'string' },
      token: { type: 'string' },
    },
  });
  const { user, room } = values;
  if (user === undefined || room === undefined) throw new Error(usage);
  if (!isUserId(user)) throw new Error('--user must match [A-Za-z0-9_-]{1,64}');
  if (!isRoomId(room)) throw new Error('--room must match [A-Za-z0-9_-]{1,64}');
  const given = parseUrls(values.url ?? [], defaultUrl());
  const first = values.node === undefined ? undefined : Number(values.node);
  if (first !== undefined && !(Number.isInteger(first) && first >= 1 && first <= given.length))
    throw new Error(`--node must be a whole number from 1 to ${given.length}: which of the --url to begin with`);
  const urls = beginningWith(given, first === undefined ? Math.floor(systemTiming.random() * given.length) : first - 1);
  const token = values.token ?? process.env['CHAT_TOKEN'] ?? ((url: string) => fetchDevToken(url, user));
  // The first token is asked for here: a node that is not there is told in one line, before the screen opens.
  if (typeof token !== 'string') await firstToken(urls, user);

  const isColored = process.stdout.isTTY === true && !process.env['NO_COLOR'];
  let screen: Screen | undefined;
  const session = new ChatSession({
    client: new ChatClient(),
    connect: { url: urls, token },
    user,
    room,
    paint: paintFor(isColored),
    print: (lines) => screen?.print(lines),
    setNote: (note) => screen?.setNote(note),
    onEnd: (code) => {
      screen?.close();
      process.exitCode = code;
      process.stdin.destroy();
    },
  });
  screen = openScreen(`${user}> `, {
    onLine: (line) => session.onLine(line),
    onTyping: (line) => session.onInput(line),
    onEnd: () => void session.leave(),
  });
  await session.start();
}

/** From the first node that answers. */
async function firstToken(urls: readonly string[], user: string): Promise<string> {
  let failure: unknown;
  for (const url of urls) {
    try {
      return await fetchDevToken(url, user);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

main().catch((error: unknown) => {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
});
