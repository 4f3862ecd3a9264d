/**
 * Runs a StubNode by itself, to try the terminal client and the replay without a real node. `node dist/test/replay/stub-main.js PORT [every-ms]`
 * cuts all connections and is gone for 500 ms at every `every-ms`, as if killed and restarted.
 */
import { StubNode } from './stub-node.ts';

const [port = '3999', everyMs] = process.argv.slice(2);
const node = new StubNode(Number(port));
process.stdout.write(`${await node.start()}\n`);
while (everyMs !== undefined) {
  await new Promise((resolve) => setTimeout(resolve, Number(everyMs)));
  await node.stop();
  await new Promise((resolve) => setTimeout(resolve, 500));
  await node.start();
}
