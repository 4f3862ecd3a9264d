/**
 * ConfigMachine: a configuration loaded from a given environment and given files, and the mistakes of one that is refused.
 */
import { ConfigError, type Environment, loadConfig, type Surroundings } from '../../config/load.ts';

export function machine(files: Readonly<Record<string, string>> = {}): Surroundings {
  return {
    isTerminal: false,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return text;
    },
  };
}

export const load = (env: Environment, files?: Readonly<Record<string, string>>) => loadConfig(env, machine(files));

export function mistakesOf(env: Environment, files?: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(env, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}
