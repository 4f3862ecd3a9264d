/**
 * Settings: the one table of everything that can be configured.
 *
 * The variable's name, the types, loading, `npm run config` and the README's table are all derived from this table.
 * Does not: read the environment or any file.
 */
import type { Setting } from './setting-kinds.ts';
import { clusterSettings } from './settings-cluster.ts';
import { directorySettings } from './settings-directory.ts';
import { limitSettings } from './settings-limits.ts';
import { nodeSettings } from './settings-node.ts';

export const settings = { ...nodeSettings, ...limitSettings, ...clusterSettings, ...directorySettings } as const;

export type Field = keyof typeof settings;
export const fields = Object.keys(settings) as readonly Field[];

/** The settings as given or defaulted, each valid on its own. */
export type SettingValues = { readonly [F in Field]: (typeof settings)[F] extends Setting<infer T> ? T : never };

/** `outboxBytesMax` → `CHAT_OUTBOX_BYTES_MAX`. */
export function variableOf(field: Field): string {
  return `CHAT_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The variable that names a file holding the value; only secrets have one. */
export function fileVariableOf(field: Field): string | undefined {
  const setting: Setting<unknown> = settings[field];
  return setting.isSecret ? `${variableOf(field)}_FILE` : undefined;
}

type JwtHmac = Extract<SettingValues['jwtAlgorithm'], `HS${string}`>;
type JwtSignature = Exclude<SettingValues['jwtAlgorithm'], JwtHmac>;

/** How tokens are verified. `dev`: the composition root makes a secret and keeps it in the data folder. */
export type JwtConfig = {
  readonly issuer?: string;
  readonly audience?: string;
} & (
  | { readonly kind: 'dev'; readonly algorithm: JwtHmac }
  | { readonly kind: 'secret'; readonly algorithm: JwtHmac; readonly secret: string }
  | { readonly kind: 'publicKey'; readonly algorithm: JwtSignature; readonly publicKeyPem: string }
);

/** What the program runs with. Hand out slices: `Pick<Config, 'outboxBytesMax' | 'outboxFramesMax'>`. */
export type Config = Omit<SettingValues, 'dev' | 'logPretty' | `jwt${string}`> & {
  readonly dev: boolean;
  readonly logPretty: boolean;
  readonly jwt: JwtConfig;
};
