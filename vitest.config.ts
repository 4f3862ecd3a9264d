/**
 * Vitest's settings. The plain last line comes from test/support/plain-line-reporter.ts.
 *
 * Files run isolated, each in a process of its own: tests here hold ports, native stores and patched timers.
 */
import { defineConfig } from 'vitest/config';
import { PlainLineReporter } from './test/support/plain-line-reporter.ts';

// A test must not depend on what the developer's shell has exported; the workers inherit what is left.
for (const name of Object.keys(process.env)) if (name.startsWith('CHAT_')) delete process.env[name];

export default defineConfig({
  test: {
    include: ['test/{unit,contract,simulation,integration,chaos}/**/*.test.ts'],
    reporters: ['default', new PlainLineReporter()],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5_000,
  },
});
