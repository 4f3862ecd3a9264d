/**
 * The command line of an operator: npm run revoke, as a process against a whole node.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { tempFolder } from '../support/embedded-stores.ts';
import { client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

const program = fileURLToPath(new URL('../../dist/system/revoke.js', import.meta.url));
const folder = tempFolder();
afterEach(async () => {
  closeClients();
  await stopNodes();
  folder.remove();
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
const run = (...args: string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'], CHAT_DATA_DIR: folder.dir };
    execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

describe('npm run revoke', () => {
  it("puts a user out with an operator's token, and says in one line what else went wrong", async () => {
    const node = await startTestNode();
    const alice = await connected(client(node.url, { auth: { token: signToken('alice') } }));
    const operator = signToken('olga', { roles: ['operator'] });
    expect(await run('--user', 'alice', '--url', node.url, '--token', operator)).toMatchObject({ code: 0, stderr: '' });
    await waitUntil('she is out', () => !alice.connected);
    for (const [said, ...args] of [
      ['usage: ', '--url', node.url],
      ['usage: ', '--user', 'alice', '--everybody', '--url', node.url],
      ['the token needs the role operator', '--user', 'alice', '--url', node.url, '--token', signToken('bob')],
      ['the body must be one of', '--user', 'a b', '--url', node.url, '--token', operator],
      // Signed with the secret of a development node that this one is not.
      ['the token is not valid', '--everybody', '--url', node.url],
      ['is the node running?', '--user', 'alice', '--url', 'http://127.0.0.1:1', '--token', operator],
    ] as const) {
      const ended = await run(...args);
      expect(ended.code, said).toBe(1);
      expect(ended.stderr).toContain(said);
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
      expect(ended.stderr).not.toContain('eyJ');
    }
  });
});
