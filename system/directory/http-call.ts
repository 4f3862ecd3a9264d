/**
 * HttpCall: one JSON call to a service outside, with everything about it bounded.
 *
 * Guarantees: done within its time, whatever the other side does; reads no more than its bytes; follows no redirect, so the
 * secret and the question go to the configured host only; rejects with CallFailed and nothing else.
 * Does not: retry, or log. Neither the address nor the other side's words are in an error: they may hold secrets.
 */
import type { Clock } from '../clock.ts';

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Below the base; its parts are encoded already. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallSettings {
  /** With or without a path of its own. */
  readonly baseUrl: string;
  /** Sent as a Bearer token. */
  readonly secret: string | undefined;
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly clock: Clock;
}

export interface CallAnswer {
  readonly status: number;
  /** Of 2xx with a JSON body; else undefined. */
  readonly body: unknown;
  readonly retryAfterMs: number | undefined;
}

export type FailureOf = 'time-out' | 'connection' | 'redirect' | 'size' | 'type' | 'garbage' | 'closed';

export class CallFailed extends Error {
  readonly why: FailureOf;
  constructor(why: FailureOf) {
    super(`no answer: ${why}`);
    this.name = 'CallFailed';
    this.why = why;
  }
}

/** `isAnswerWanted`: a 2xx must bring JSON. `ended`: aborts the call. */
export async function callJson(call: Call, settings: CallSettings, isAnswerWanted: boolean, ended: AbortSignal): Promise<CallAnswer> {
  const { baseUrl, secret, timeoutMs, answerBytesMax, clock } = settings;
  const abort = new AbortController();
  let isLate = false;
  const cancel = clock.after(timeoutMs, () => {
    isLate = true;
    abort.abort();
  });
  const end = (): void => abort.abort();
  ended.addEventListener('abort', end, { once: true });
  if (ended.aborted) abort.abort();
  try {
    const response = await fetch(`${baseUrl.endsWith('/') ? baseUrl.slice(0, -1) : baseUrl}${call.path}`, {
      method: call.method,
      redirect: 'manual',
      signal: abort.signal,
      headers: {
        accept: 'application/json',
        ...(call.body !== undefined && { 'content-type': 'application/json' }),
        ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
        ...call.headers,
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    });
    const { status } = response;
    const retryAfterMs = secondsOf(response.headers.get('retry-after'));
    if (status >= 300 && status < 400) throw new CallFailed('redirect');
    if (!response.ok || !isAnswerWanted) return { status, body: undefined, retryAfterMs };
    if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')) throw new CallFailed('type');
    return { status, body: parse(await readText(response, answerBytesMax)), retryAfterMs };
  } catch (error) {
    if (error instanceof CallFailed) throw error;
    throw new CallFailed(isLate ? 'time-out' : ended.aborted ? 'closed' : 'connection');
  } finally {
    cancel();
    ended.removeEventListener('abort', end);
    abort.abort(); // A body that nobody reads is not sent on.
  }
}

async function readText(response: Response, bytesMax: number): Promise<string> {
  // Not trusted in place of counting: it may be missing, or false.
  if (Number(response.headers.get('content-length') ?? 0) > bytesMax) throw new CallFailed('size');
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new CallFailed('size');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CallFailed('garbage');
  }
}

function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : undefined;
}
