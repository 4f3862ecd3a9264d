/** `npm run docs` as a process, on a copy of the documents. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('npm run docs writes every file though nobody reads what it says any more', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-docs-'));
  try {
    for (const name of ['README.md', 'system/wire/README.md', 'system/wire/record.schema.json'])
      cpSync(new URL(`../../${name}`, import.meta.url), join(dir, name));
    const program = fileURLToPath(new URL('../../dist/system/docs.js', import.meta.url));
    const child = spawn(process.execPath, [program], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    const [code] = await once(child, 'close');
    expect([code, said]).toEqual([0, '']);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
