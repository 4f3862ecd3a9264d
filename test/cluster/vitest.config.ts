/**
 * Vitest's settings for the stories of a whole cluster: minutes each, on real servers, one after the other.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { PlainLineReporter } from '../support/plain-line-reporter.ts';

for (const name of Object.keys(process.env)) if (name.startsWith('CHAT_')) delete process.env[name];

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/cluster/**/*.test.ts'],
    reporters: ['default', new PlainLineReporter()],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
