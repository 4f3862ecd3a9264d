/**
 * Errors: the one table of codes a client can see, and the three kinds of things that go wrong.
 *
 * - A *refusal* is an answer: the user asked for what cannot be. It is a value, never thrown across an actor.
 * - A *fault* is the outside failing (`Fault`): it has a code; its cause is for the log, never for a client.
 * - A *bug* is anything else that is thrown: the supervisor decides.
 */

/** `retryable`: the same command with the same cid may succeed later. */
export const errorTable = {
  INVALID: { retryable: false, meaning: 'The payload breaks a rule; the message names the field and the rule.' },
  UNAUTHENTICATED: { retryable: false, meaning: 'No valid token. Get a new one and connect again.' },
  TOKEN_EXPIRED: { retryable: false, meaning: 'The token is past its exp. Get a new one and connect again.' },
  FORBIDDEN: { retryable: false, meaning: 'You are in the room but lack the right.' },
  NOT_FOUND: { retryable: false, meaning: 'It does not exist, or it is not yours to see.' },
  CONFLICT: { retryable: false, meaning: 'The id is taken, or the same cid was used with other content.' },
  PAYLOAD_TOO_LARGE: { retryable: false, meaning: 'Larger than the limit named in the message.' },
  RATE_LIMITED: { retryable: true, meaning: 'Too many commands, or bytes of files. Wait retryAfterMs.' },
  BUSY: { retryable: true, meaning: 'A queue on the way is full. Wait retryAfterMs and send again with the same cid.' },
  ROOM_UNAVAILABLE: { retryable: true, meaning: 'The room failed repeatedly and rests. Wait retryAfterMs.' },
  STORE_UNAVAILABLE: { retryable: true, meaning: 'Nothing could be stored in time; send again with the same cid.' },
  UNKNOWN_EVENT: { retryable: false, meaning: 'No such event. The message lists the known ones.' },
  TOO_MANY_CONNECTIONS: { retryable: true, meaning: 'Too many connections or handshakes. Wait retryAfterMs.' },
  INTERNAL: { retryable: true, meaning: 'A fault of the node. It is logged; send again with the same cid.' },
} as const satisfies Record<string, { retryable: boolean; meaning: string }>;

export type ErrorCode = keyof typeof errorTable;

/** Why a server closes a connection. `reconnect`: whether the client should come back by itself. */
export const closeTable = {
  SERVER_DRAINING: { reconnect: true, meaning: 'The node stops. Reconnect after reconnectInMs; resume by since.' },
  STORE_UNAVAILABLE: {
    reconnect: true,
    meaning: 'The node cannot reach its store and another one can. Reconnect to another after reconnectInMs; resume by since.',
  },
  SLOW_CONSUMER: { reconnect: true, meaning: 'You did not read for too long. Reconnect and resume by since.' },
  TOKEN_EXPIRED: { reconnect: false, meaning: 'The token expired. Connect again with a new one.' },
  REVOKED: { reconnect: false, meaning: 'The token or the user was revoked.' },
  FLOOD: { reconnect: false, meaning: 'Far over the rate limits.' },
  INTERNAL: { reconnect: true, meaning: 'The session failed. Reconnect and resume by since.' },
} as const satisfies Record<string, { reconnect: boolean; meaning: string }>;

export type CloseCode = keyof typeof closeTable;

/** What a client is told. Never holds a driver's message, a stack or another user's data. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
}

export function refuse(code: ErrorCode, message: string, retryAfterMs?: number): Refusal {
  const refusal = { code, message, retryable: errorTable[code].retryable };
  return retryAfterMs === undefined ? refusal : { ...refusal, retryAfterMs };
}

/** A fault of the outside. `message` is for operators: it says what failed and what to do. */
export class Fault extends Error {
  readonly code: string;
  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
  }
}

/** Stored bytes of a room do not read as they were written. The room is refused; others go on. */
export class LogCorrupt extends Fault {
  readonly room: string;
  readonly seq: number;
  constructor(room: string, seq: number, detail: string) {
    super('LOG_CORRUPT', `room ${room} is damaged at seq ${seq}: ${detail}`);
    this.room = room;
    this.seq = seq;
  }
}

export function assertNever(value: never): never {
  // The type only: what else the value holds is for no log.
  const type: unknown = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : typeof value;
  throw new TypeError(`unhandled case: ${String(type)}`);
}
