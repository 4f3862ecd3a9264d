/**
 * State probe: asks a state server whether it is at work, as an operator's health check does.
 *
 * Guarantees: an answer within the time, and a reason for every no. It proves that lines are read and answered, not only that a port
 * is open: a server that is frozen, or whose connections are half-open, fails. Needs no secret; leaves nothing behind in the server.
 */
import type { Clock } from '../clock.ts';
import type { Frame } from './frame-codec.ts';
import { type Address, LineSocket } from './line-socket-tcp.ts';
import { decodeServerLine, encodeNodeLine } from './state-line-decoder.ts';
import { lineBytesMax } from './state-lines.ts';

export type ProbeOutcome = { readonly ok: true } | { readonly ok: false; readonly why: string };

export function probeStateServer(address: Address, withinMs: number, clock: Pick<Clock, 'after'>): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const done = (outcome: ProbeOutcome): void => {
      cancel();
      socket.cut();
      resolve(outcome);
    };
    const cancel = clock.after(withinMs, () => done({ ok: false, why: `no answer within ${withinMs} ms` }));
    const socket = new LineSocket(address, lineBytesMax, {
      connected: () => void socket.send(encodeNodeLine({ type: 'health' })),
      heard: (frame) => done(isHealthy(frame) ? { ok: true } : { ok: false, why: 'something else than a state server answers' }),
      paused: () => {},
      drained: () => {},
      closed: (why) => done({ ok: false, why }),
    });
  });
}

function isHealthy(frame: Frame): boolean {
  if (frame.type !== 'line') return false;
  const decoded = decodeServerLine(frame.text);
  return decoded.ok && decoded.line.type === 'healthy';
}
