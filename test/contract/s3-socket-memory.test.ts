import { afterEach, beforeEach, test } from 'vitest';
import type { BlobStore } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { giveReadBuffer, takeReadBuffer } from '../../src/storage/read-buffers.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { readObject } from '../support/objects.ts';
import { type ScriptedS3, startScriptedS3, writeAnswer } from '../support/scripted-s3.ts';
import { waitUntil } from '../support/wait-until.ts';

const KIB = 1024;
const SIZE = 3 * KIB * KIB;
/** What there is for all readers, in the order in which it is taken. */
const LENGTHS = {
  large: [...Array<number>(8).fill(2 * KIB * KIB), ...Array<number>(16).fill(KIB * KIB)],
  small: Array<number>(512).fill(64 * KIB),
};
/** A read that kept one would find none after as many rounds. */
const BUFFERS = { large: LENGTHS.large.length, small: LENGTHS.small.length };

let s3: ScriptedS3;
let store: BlobStore;

beforeEach(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'someone', AWS_SECRET_ACCESS_KEY: 'secret' });
  s3 = await startScriptedS3();
  store = openS3Store({
    kind: 's3',
    bucket: 'bucket',
    prefix: '',
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    partBytes: 5 * KIB * KIB,
    checksum: 'none',
    signPayload: false,
    encryption: undefined,
    storageClass: undefined,
  });
});

afterEach(() => s3.close());

/** Sends `sentBytes` of what is asked for, then ends the connection if that isn't all. */
function answer(sentBytes: number): void {
  s3.answerWith((socket, { start, end }) => {
    const length = end - start;
    const head = [
      'HTTP/1.1 206 Partial Content',
      `Content-Length: ${length}`,
      `Content-Range: bytes ${start}-${end - 1}/${SIZE}`,
    ];
    writeAnswer(socket, head, Buffer.alloc(Math.min(length, sentBytes)));
    if (sentBytes < length) socket.end();
  });
}

async function readChunks(count: number): Promise<void> {
  let left = count;
  for await (const chunk of store.read(newSegmentKey(), 0, SIZE)) {
    left -= chunk.length > 0 ? 1 : 0;
    if (left === 0) return;
  }
}

function areAllFree(size: keyof typeof LENGTHS): boolean {
  const taken = LENGTHS[size].map(() => takeReadBuffer(size));
  for (const buffer of taken) giveReadBuffer(buffer);
  return taken.every(({ length }, place) => length === LENGTHS[size][place]);
}

test.each<readonly [string, number, number, () => Promise<unknown>]>([
  ['reads to the end', SIZE, BUFFERS.large, () => readObject(store, newSegmentKey(), 0, SIZE)],
  [
    'reads that are broken again and again',
    600 * KIB,
    BUFFERS.large,
    () => readObject(store, newSegmentKey(), 0, SIZE),
  ],
  ['readers that end after a chunk', SIZE, BUFFERS.large, () => readChunks(2)],
  // The connection has a large buffer by then, and the reader still a small one.
  ['readers that end when steps have just grown', SIZE, BUFFERS.small, () => readChunks(3)],
  ['readers that end after some', SIZE, BUFFERS.large, () => readChunks(4)],
  [
    'reads of what comes with the head',
    SIZE,
    BUFFERS.large,
    () => readObject(store, newSegmentKey(), 0, 10),
  ],
])('%s give all buffers back', async (_, sentBytes, rounds, read) => {
  answer(sentBytes);
  for (let round = 0; round < rounds; round += 1) await read();
  await Promise.all(Array.from({ length: BUFFERS.large }, read));
  // What a connection reads into is free when it is closed.
  await waitUntil('all buffers', () => areAllFree('large'));
  await waitUntil('all buffers', () => areAllFree('small'));
});
