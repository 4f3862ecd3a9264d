/**
 * Event intake: takes the events of a connected client from engine.io's packets, before socket.io's parser and its queues.
 *
 * Guarantees: an event of the default namespace that asks for an answer or not reaches `onEvent` as socket.io's `use` would give it,
 * in the turn in which it came; whatever else comes (other namespaces, binary, what does not parse) goes to socket.io as before.
 * Why: a parser object, two emitters and two ticks for each packet are half of what a command costs at the edge.
 */
import type { Socket } from 'socket.io';
import type { WireAnswer } from './client-protocol.ts';

/** socket.io's packet types, in the default namespace. */
const eventType = '2'.charCodeAt(0);
const ackType = '3';
/** Longer numbers are none that a client counts up to; socket.io may look at them. */
const ackIdDigitsMax = 15;

interface EngineSide {
  readonly conn: {
    on(event: 'data', listener: (data: unknown) => void): unknown;
    off(event: 'data', listener: (data: unknown) => void): unknown;
  };
  /** socket.io's listener for engine.io's packets. */
  readonly client: { readonly ondata: (data: unknown) => void };
}

/** `answer` takes the packet that answers a command. */
export function takeEvents(socket: Socket, onEvent: (packet: readonly unknown[]) => void, answer: (packet: string) => void): void {
  const { conn, client } = socket as unknown as EngineSide;
  const passOn = client.ondata;
  conn.off('data', passOn);
  conn.on('data', (data) => {
    const packet = typeof data === 'string' && socket.connected ? eventOf(data, answer) : undefined;
    if (packet) onEvent(packet);
    else passOn(data);
  });
}

/** The event's name, what came after it and, where an answer is asked for, the function that gives it. undefined: not ours. */
function eventOf(data: string, answer: (packet: string) => void): unknown[] | undefined {
  if (data.charCodeAt(0) !== eventType) return undefined;
  let at = 1;
  while (isDigit(data.charCodeAt(at))) at += 1;
  if (at - 1 > ackIdDigitsMax || data[at] !== '[') return undefined;
  let packet: unknown[];
  try {
    packet = JSON.parse(data.slice(at));
  } catch {
    return undefined; // socket.io closes the connection.
  }
  if (at > 1) {
    const ackId = data.slice(1, at);
    packet.push((body: WireAnswer) => answer(`${ackType}${ackId}[${JSON.stringify(body)}]`));
  }
  return packet;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
