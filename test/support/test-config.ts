/**
 * testConfig: the defaults as a test wants them, with overrides. Never looks at the environment.
 *
 * Overrides are not checked: a test may want a bound of one.
 */
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';

const defaults = loadConfig(
  { CHAT_PORT: '0', CHAT_LOG_LEVEL: 'silent', CHAT_LOG_PRETTY: 'false' },
  {
    isTerminal: false,
    readFile: () => {
      throw new Error('testConfig reads no files');
    },
  },
);

export function testConfig(overrides: Partial<Config> = {}): Config {
  return Object.freeze({ ...defaults, ...overrides });
}

const many = 1_000_000;
/** For tests that say much at once and are not about rates. */
export const noRates = {
  commandsPerSecondMax: many,
  commandsBurstMax: many,
  userCommandsPerSecondMax: many,
  userCommandsBurstMax: many,
  addressCommandsPerSecondMax: many,
  addressCommandsBurstMax: many,
} as const satisfies Partial<Config>;
