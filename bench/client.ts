import { createHash } from 'node:crypto';
import type { Answer, Sink } from './answer-reader.ts';
import { type Blob, chunkedBody, MIB, plainBody } from './blob.ts';
import { Connection } from './connection.ts';

/**
 * How the body of a push travels. chunked: one PATCH with Transfer-Encoding: chunked, as docker does. length: one PATCH
 * with Content-Length, as skopeo does. ranges: PATCHes of 64 MiB with Content-Range.
 */
export type PushMode = 'chunked' | 'length' | 'ranges';

export const PUSH_MODES: readonly PushMode[] = ['chunked', 'length', 'ranges'];
const RANGE_MIB = 64;
const OCTETS = { 'Content-Type': 'application/octet-stream' };

/** Pushes a blob, and checks with a HEAD that it is there. @returns seconds from the POST to the PUT's 201. */
export async function push(
  url: string,
  repository: string,
  blob: Blob,
  mode: PushMode,
): Promise<number> {
  const connection = new Connection(url);
  try {
    const start = performance.now();
    const post = {
      method: 'POST',
      path: `/v2/${repository}/blobs/uploads/`,
      headers: { 'Content-Length': '0' },
    };
    const opened = expect('POST', await connection.send(post), 202);
    const location = await sendBody(connection, locationOf(opened), blob, mode);
    await close(connection, location, blob.digest);
    const seconds = (performance.now() - start) / 1000;
    await checkPresence(connection, repository, blob);
    return seconds;
  } finally {
    connection.close();
  }
}

/** Pulls a blob. @returns seconds and the number of bytes; their digest costs time: see {@link verify}. */
export async function pull(
  url: string,
  repository: string,
  digest: string,
  sink: Sink = () => undefined,
): Promise<{ seconds: number; bytes: number }> {
  const connection = new Connection(url);
  try {
    const start = performance.now();
    const path = `/v2/${repository}/blobs/${digest}`;
    const answer = expect('GET', await connection.send({ method: 'GET', path, sink }), 200);
    return { seconds: (performance.now() - start) / 1000, bytes: answer.bodyBytes };
  } finally {
    connection.close();
  }
}

/** Pulls a blob and digests it. @throws if it isn't what was pushed. */
export async function verify(url: string, repository: string, blob: Blob): Promise<void> {
  const hash = createHash('sha256');
  const { bytes } = await pull(url, repository, blob.digest, (slice) => void hash.update(slice));
  const digest = `sha256:${hash.digest('hex')}`;
  if (bytes !== blob.sizeBytes || digest !== blob.digest) {
    throw new Error(
      `pulled ${bytes} bytes with ${digest} instead of ${blob.sizeBytes} with ${blob.digest}`,
    );
  }
}

/** @returns path and query of where the upload goes on. */
async function sendBody(
  connection: Connection,
  location: string,
  blob: Blob,
  mode: PushMode,
): Promise<string> {
  if (mode === 'ranges') return sendRanges(connection, location, blob);
  const isChunked = mode === 'chunked';
  const answer = await connection.send({
    method: 'PATCH',
    path: location,
    headers: isChunked
      ? { 'Transfer-Encoding': 'chunked' }
      : { ...OCTETS, 'Content-Length': String(blob.sizeBytes) },
    body: isChunked ? chunkedBody(blob) : plainBody(blob, 0, blob.sizeBytes / MIB),
  });
  return locationOf(expect('PATCH', answer, 202));
}

async function sendRanges(connection: Connection, start: string, blob: Blob): Promise<string> {
  const sizeMib = blob.sizeBytes / MIB;
  let location = start;
  for (let first = 0; first < sizeMib; first += RANGE_MIB) {
    const end = Math.min(first + RANGE_MIB, sizeMib);
    const headers = {
      ...OCTETS,
      'Content-Length': String((end - first) * MIB),
      'Content-Range': `${first * MIB}-${end * MIB - 1}`,
    };
    const body = plainBody(blob, first, end);
    const answer = await connection.send({ method: 'PATCH', path: location, headers, body });
    location = locationOf(expect('PATCH', answer, 202));
  }
  return location;
}

async function close(connection: Connection, location: string, digest: string): Promise<void> {
  const path = `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  expect(
    'PUT',
    await connection.send({ method: 'PUT', path, headers: { 'Content-Length': '0' } }),
    201,
  );
}

async function checkPresence(
  connection: Connection,
  repository: string,
  blob: Blob,
): Promise<void> {
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  const answer = expect('HEAD', await connection.send({ method: 'HEAD', path }), 200);
  const length = answer.headers.get('content-length');
  if (length !== String(blob.sizeBytes))
    throw new Error(`HEAD says ${length} instead of ${blob.sizeBytes} bytes`);
}

function expect(method: string, answer: Answer, status: number): Answer {
  if (answer.status === status) return answer;
  throw new Error(
    `${method} was answered with ${answer.status} instead of ${status}: ${answer.excerpt}`,
  );
}

/** A Location is relative, or names the server that answered. */
function locationOf(answer: Answer): string {
  const location = answer.headers.get('location');
  if (!location) throw new Error(`an answer ${answer.status} without Location`);
  const { pathname, search } = new URL(location, 'http://127.0.0.1');
  return pathname + search;
}
