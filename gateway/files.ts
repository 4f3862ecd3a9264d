/**
 * Files over HTTP: POST /api/rooms/:room/files takes one, GET and HEAD /api/files/:id give it to members of its room.
 *
 * Guarantees: rights are asked before the body is read, and again by the room when the entry is appended; bytes pass through in parts
 * and are durable before the entry is; what is refused, too large, too slow or cut off leaves nothing. A file leaves as a download only:
 * attachment, nosniff, sandboxed, by its first bytes' type, never by what was claimed. A range of one is the same bytes of the same file:
 * its ETag is its SHA-256.
 * Does not: collect what a crash left (file-collector).
 */
import type { Readable } from 'node:stream';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RoomFiles, ShownFile } from '../actors/room-files.ts';
import type { Clock } from '../system/clock.ts';
import { Fault, type Refusal, refuse } from '../system/errors.ts';
import { type FileStore, isFileId } from '../system/files/file-store.ts';
import type { Logger } from '../system/logger.ts';
import type { Metrics } from '../system/metrics.ts';
import { encodeRefusal, type LimitedRefusal } from './client-encoding.ts';
import { takeUpload } from './file-intake.ts';
import { contentDisposition } from './file-name.ts';
import { bearerOf } from './http-access.ts';
import { problem } from './http-problem.ts';
import { rangeOf } from './http-range.ts';
import { uploadLimits } from './http-upload-form.ts';
import type { RateTable } from './rate-table.ts';
import { type Identity, isRefusal, type TokenVerifier } from './session-port.ts';
import { TransferGate } from './transfer-gate.ts';
import { UploadQuota } from './upload-quota.ts';

export interface FileRouteDeps {
  readonly room: Pick<RoomFiles, 'refusalToWrite' | 'append' | 'find'>;
  readonly store: FileStore;
  readonly verifier: TokenVerifier;
  readonly userCommands: Pick<RateTable, 'take'>;
  readonly fileBytesMax: number;
  readonly uploadTimeoutMs: number;
  readonly uploadBytesPerDayMax: number;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Of one user at once; more: RATE_LIMITED. On the node; more: BUSY. */
export const uploadsPerUserMax = 4;
export const uploadsMax = 64;
export const downloadsPerUserMax = 8;
export const downloadsMax = 128;
/** Whose bytes of a day are counted; more: who uploaded longest ago begins anew. */
export const quotaUsersMax = 10_000;
/** For a refusal to arrive before the connection of a client is cut that goes on sending. */
const lingerMs = 2_000;
/** A client that reads nothing of its download for so long is cut. */
const downloadIdleMs = 30_000;

export function addFiles(app: FastifyInstance, deps: FileRouteDeps): void {
  const uploads = new TransferGate({ what: 'uploads', perUserMax: uploadsPerUserMax, nodeMax: uploadsMax });
  const downloads = new TransferGate({ what: 'downloads', perUserMax: downloadsPerUserMax, nodeMax: downloadsMax });
  const quota = new UploadQuota({ bytesMax: deps.uploadBytesPerDayMax, usersMax: quotaUsersMax, clock: deps.clock });
  const { metrics } = deps;
  metrics.read('playhouse_transfers', () => ({ upload: uploads.size, download: downloads.size }));
  metrics.read('playhouse_transfers_refused_total', () => ({
    upload: uploads.refused,
    download: downloads.refused,
    quota: quota.refused,
  }));
  const bytesTaken = metrics.counter('playhouse_file_bytes_total', { direction: 'in' });
  const bytesGiven = metrics.counter('playhouse_file_bytes_total', { direction: 'out' });

  function enter(request: FastifyRequest, gate: TransferGate): { identity: Identity; leave: () => void } | Refusal {
    const identity = bearerOf(request, deps.verifier);
    if (isRefusal(identity)) return identity;
    const retryAfterMs = deps.userCommands.take(identity.userId);
    if (retryAfterMs !== undefined) return refuse('RATE_LIMITED', 'too many requests', retryAfterMs);
    const leave = gate.enter(identity.userId);
    return typeof leave === 'function' ? { identity, leave } : leave;
  }

  async function upload(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const entered = enter(request, uploads);
    if (isRefusal(entered)) return refuseUpload(request, reply, entered, deps.clock);
    const { identity, leave } = entered;
    // Its form is longer than its file: nothing that fits is refused but at the very end of a day's bytes.
    const declared = Number(request.headers['content-length'] ?? deps.fileBytesMax);
    const allowance = quota.take(identity.userId, Math.min(declared, deps.fileBytesMax));
    if (isRefusal(allowance)) {
      leave();
      return refuseUpload(request, reply, allowance, deps.clock);
    }
    const cancel = deps.clock.after(deps.uploadTimeoutMs, () => request.raw.destroy());
    try {
      const answer = await takeUpload({ ...deps, onKept: allowance.kept }, identity, request);
      if (isRefusal(answer)) return refuseUpload(request, reply, answer, deps.clock);
      bytesTaken.value += answer.dup ? 0 : (answer.file?.bytes ?? 0);
      return reply.code(answer.dup ? 200 : 201).send(answer);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      deps.log.warn({ ev: 'file.failed', cause: error.message }, 'an upload could not be stored');
      return refuseUpload(request, reply, unavailable, deps.clock);
    } finally {
      cancel();
      allowance.end();
      leave();
    }
  }

  async function download(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const entered = enter(request, downloads);
    if (isRefusal(entered)) return problem(reply, entered);
    const { identity, leave } = entered;
    let isLeaving = true;
    try {
      const { id } = request.params as { readonly id: string };
      const found = isFileId(id) ? await deps.room.find(identity.userId, id) : refuse('NOT_FOUND', 'no such file');
      if (isRefusal(found)) return problem(reply, found);
      const { bytes, sha256, id: stored } = found.stored;
      const etag = `"${sha256}"`;
      // Of GET only, says the standard.
      const range = request.method === 'GET' ? rangeOf(request.headers, { bytes, etag }) : undefined;
      if (range === 'unsatisfiable')
        return problem(reply.header('content-range', `bytes */${bytes}`), refuse('INVALID', 'no byte of the file is in this range'), 416);
      const got = request.method === 'GET' ? await deps.store.get(stored, range) : undefined;
      if (!got && request.method === 'GET') return problem(reply, refuse('NOT_FOUND', 'no such file'));
      describe(reply, found, etag);
      if (range) {
        reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${bytes}`);
        reply.header('content-length', String(range.last - range.first + 1));
      }
      if (!got) return reply.send();
      isLeaving = false;
      watch(got.bytes, reply, leave);
      got.bytes.on('data', (part: Buffer) => {
        bytesGiven.value += part.length;
      });
      return reply.send(got.bytes);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      deps.log.warn({ ev: 'file.failed', cause: error.message }, 'a file could not be read');
      return problem(reply, unavailable);
    } finally {
      if (isLeaving) leave();
    }
  }

  /** Until the last byte left, or the client did. One that does not read is cut. */
  function watch(bytes: Readable, reply: FastifyReply, leave: () => void): void {
    let passed = -1;
    let cancel = (): void => {};
    const look = (): void => {
      const { socket } = reply.raw;
      const now = socket?.bytesWritten ?? 0;
      if (now === passed) return void socket?.destroy();
      passed = now;
      cancel = deps.clock.after(downloadIdleMs, look);
    };
    look();
    bytes.on('error', (error) => {
      deps.log.error({ ev: 'file.failed', cause: error.message }, 'a file could not be read to its end');
    });
    reply.raw.on('close', () => {
      cancel();
      bytes.destroy();
      leave();
    });
  }

  // A scope of its own: other routes take no multipart body.
  app.register((scope, _options, done) => {
    scope.register(multipart, { limits: uploadLimits, throwFileSizeLimit: false });
    scope.post('/api/rooms/:room/files', { config: { isSlow: true } }, upload);
    done();
  });
  // Of its own: the one that comes with GET would tell the length of no body.
  app.head('/api/files/:id', download);
  app.get('/api/files/:id', { exposeHeadRoute: false }, download);
}

const unavailable = refuse('STORE_UNAVAILABLE', 'files cannot be stored or read at the moment; send again with the same cid', 1_000);

/** Answered while the client may still send: what comes is thrown away for a moment, so that the answer is read, then it is cut. */
function refuseUpload(request: FastifyRequest, reply: FastifyReply, refusal: LimitedRefusal, clock: Pick<Clock, 'after'>): FastifyReply {
  const { raw } = request;
  if (!raw.readableEnded && !raw.destroyed) {
    raw.unpipe();
    raw.resume();
    const cancel = clock.after(lingerMs, () => raw.destroy());
    raw.once('close', cancel);
  }
  return problem(reply, encodeRefusal(refusal));
}

// ---- giving ----

function describe(reply: FastifyReply, { stored, facts }: ShownFile, etag: string): void {
  reply.headers({
    'content-type': facts.type,
    'content-length': String(stored.bytes),
    'content-disposition': contentDisposition(facts.name),
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-site',
    // Asked for again each time: who was removed from the room, or what was deleted, is not to be had from a cache.
    'cache-control': 'private, no-cache',
    'accept-ranges': 'bytes',
    etag,
  });
}
