/**
 * ChatError: why a command of the client library failed.
 *
 * Guarantees: `code` is one of the server's codes or one of the library's own below; `retryable` says whether the same
 * command (with the same cid) may succeed later.
 */
import type { CloseCode, ErrorCode } from '../../system/errors.ts';
import type { WireError } from '../client-protocol.ts';

/**
 * OFFLINE: not connected, nothing was sent. CONNECTION_LOST, TIMEOUT: sent, outcome unknown. OUTBOX_FULL: refused by the
 * library, nothing was sent. ENDED: the client was ended, or closed by the server for good.
 */
export type LocalErrorCode = 'OFFLINE' | 'CONNECTION_LOST' | 'TIMEOUT' | 'OUTBOX_FULL' | 'ENDED';
export type ChatErrorCode = ErrorCode | CloseCode | LocalErrorCode;

export class ChatError extends Error {
  readonly code: ChatErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ChatErrorCode, message: string, retryable: boolean, retryAfterMs?: number) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Reads a refusal as it came over the wire, without trusting its shape. */
export function toChatError(raw: unknown): ChatError {
  const error = (typeof raw === 'object' && raw !== null ? raw : {}) as Partial<WireError>;
  const code = typeof error.code === 'string' ? error.code : 'INTERNAL';
  const message = typeof error.message === 'string' ? error.message : 'the server gave no reason';
  const retryAfterMs = typeof error.retryAfterMs === 'number' && error.retryAfterMs >= 0 ? error.retryAfterMs : undefined;
  return new ChatError(code, message, error.retryable !== false, retryAfterMs);
}
