/**
 * Listen: takes the port, or says in one line why not.
 */
import type { Server } from 'node:http';
import { Fault } from '../system/errors.ts';

type Setting = 'host' | 'port';
/** `words` end with the setting that helps. */
const listenFaults: Readonly<Record<string, { readonly code: string; readonly words: string; readonly setting: Setting }>> = {
  EADDRINUSE: { code: 'PORT_TAKEN', words: 'something else listens there; stop it or set', setting: 'port' },
  EACCES: { code: 'PORT_FORBIDDEN', words: 'this user may not listen there; take a port above 1023 in', setting: 'port' },
  EADDRNOTAVAIL: { code: 'HOST_NOT_AVAILABLE', words: 'this machine has no such address; set', setting: 'host' },
  ENOTFOUND: { code: 'HOST_NOT_AVAILABLE', words: 'the name does not resolve; set', setting: 'host' },
  EAI_AGAIN: { code: 'HOST_NOT_AVAILABLE', words: 'the name does not resolve; set', setting: 'host' },
};

/** Resolves when connections are taken; rejects with a Fault. */
export function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  settings: Readonly<Record<Setting, string>> = { host: 'CHAT_HOST', port: 'CHAT_PORT' },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const known = listenFaults[error.code ?? ''];
      const words = known ? `${known.words} ${settings[known.setting]}` : (error.code ?? 'unknown error');
      reject(new Fault(known?.code ?? 'LISTEN_FAILED', `cannot listen on ${hostInUrl(host)}:${port}: ${words}`, error));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** A host as a URL on this machine has it: a wildcard is no place to connect to. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
