/**
 * Listen: takes the port, or says in one line why not.
 */
import type { Server } from 'node:http';
import { Fault } from '../system/errors.ts';

const listenFaults: Readonly<Record<string, { readonly code: string; readonly words: string }>> = {
  EADDRINUSE: { code: 'PORT_TAKEN', words: 'something else listens there; stop it or set CHAT_PORT' },
  EACCES: { code: 'PORT_FORBIDDEN', words: 'this user may not listen there; take a CHAT_PORT above 1023' },
  EADDRNOTAVAIL: { code: 'HOST_NOT_AVAILABLE', words: 'this machine has no such address; set CHAT_HOST' },
  ENOTFOUND: { code: 'HOST_NOT_AVAILABLE', words: 'the name does not resolve; set CHAT_HOST' },
  EAI_AGAIN: { code: 'HOST_NOT_AVAILABLE', words: 'the name does not resolve; set CHAT_HOST' },
};

/** Resolves when connections are taken; rejects with a Fault. */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const { code, words } = listenFaults[error.code ?? ''] ?? { code: 'LISTEN_FAILED', words: error.code ?? 'unknown error' };
      reject(new Fault(code, `cannot listen on ${hostInUrl(host)}:${port}: ${words}`, error));
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
