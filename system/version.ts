/**
 * Version: of this program, from its package.json: beside the sources, or one folder above the compiled files.
 */
import { existsSync, readFileSync } from 'node:fs';

export function programVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    const file = new URL(place, import.meta.url);
    if (!existsSync(file)) continue;
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: unknown };
    if (typeof version === 'string') return version;
  }
  return 'unknown';
}
