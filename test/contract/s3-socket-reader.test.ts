import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, ObjectNotFound, StoreUnavailable } from '../../src/storage/blob-store.ts';
import { newSegmentKey } from '../../src/storage/keys.ts';
import type { ObjectRange } from '../../src/storage/s3/s3-socket-reader.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { readObject } from '../support/objects.ts';
import {
  refusal,
  type Script,
  type ScriptedS3,
  startScriptedS3,
  writeAnswer,
} from '../support/scripted-s3.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;
const SIZE = MIB + 3;
const TIMEOUTS = { callMs: 4000, tryMs: 2000, silenceMs: 1000, closeMs: 4000 };

/** How S3 is read in plain HTTP, from a server that answers as it likes. */
describe('S3 reader on sockets', () => {
  const bytes = new SeededRandom(23).bytes(SIZE);
  const key = newSegmentKey();
  let s3: ScriptedS3;
  let store: BlobStore;

  const open = (endpoint: string) =>
    openS3Store(
      {
        kind: 's3',
        bucket: 'bucket',
        prefix: '',
        endpoint,
        region: 'us-east-1',
        forcePathStyle: true,
        partBytes: 5 * MIB,
        checksum: 'none',
        signPayload: false,
        encryption: undefined,
        storageClass: undefined,
      },
      TIMEOUTS,
    );

  beforeEach(async () => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'someone', AWS_SECRET_ACCESS_KEY: 'secret' });
    s3 = await startScriptedS3();
    store = open(s3.endpoint);
  });

  afterEach(() => s3.close());

  const headOf = (range: ObjectRange, more: readonly string[] = []) => [
    'HTTP/1.1 206 Partial Content',
    `Content-Length: ${range.end - range.start}`,
    `Content-Range: bytes ${range.start}-${range.end - 1}/${SIZE}`,
    ...more,
  ];
  const bodyOf = ({ start, end }: ObjectRange) => bytes.subarray(start, end);

  const wellAnswered: Script = (socket, request) =>
    writeAnswer(socket, headOf(request), bodyOf(request));
  const expectBytes = async (start = 0, end = SIZE) => {
    const read = await readObject(store, key, start, end);
    expect(read.length).toBe(end - start);
    expect(read.equals(bytes.subarray(start, end))).toBe(true);
  };
  const failureOf = async (promise: Promise<unknown>) => {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof Error)) throw new Error(`no error but ${String(error)}`);
    return error;
  };
  const startsOf = () => s3.requests.map(({ start }) => start);

  describe('answers', () => {
    test('a range by a signed URL', async () => {
      s3.answerWith(wellAnswered);
      await expectBytes(5, 70_000);
      const [request] = s3.requests;
      expect(request?.head).toMatch(/^GET \/bucket\/\S+[?&]X-Amz-Signature=\w+\S* HTTP\/1\.1\r\n/);
      expect(request).toMatchObject({ start: 5, end: 70_000, isBySdk: false });
    });

    test.each([1, 2, 7, 100])('in pieces of %d bytes', async (size) => {
      s3.answerWith(async (socket, request) => {
        const head = Buffer.from(`${headOf(request).join('\r\n')}\r\n\r\n`);
        const all = Buffer.concat([head, bodyOf(request)]);
        for (let from = 0; from < all.length; from += size) {
          socket.write(all.subarray(from, from + size));
          await delay(0);
        }
      });
      await expectBytes(0, 2 * size);
    });

    test('one byte, which comes with the head', async () => {
      s3.answerWith(wellAnswered);
      await expectBytes(17, 18);
      await expectBytes(18, 19);
      expect(s3.countConnections()).toBe(1);
    });

    test('by name, where it has several addresses', async () => {
      s3.answerWith(wellAnswered);
      store = open(s3.endpoint.replace('127.0.0.1', 'localhost'));
      await expectBytes();
    });
  });

  describe('what is no plain range is asked for once more by the SDK', () => {
    const answers: readonly (readonly [string, Script])[] = [
      ['another status', (socket) => writeAnswer(socket, ['HTTP/1.1 204 No Content'])],
      [
        'the whole object',
        (socket) => writeAnswer(socket, ['HTTP/1.1 200 OK', `Content-Length: ${SIZE}`], bytes),
      ],
      [
        'fewer bytes than asked for',
        (socket, { start, end }) => {
          const shorter = { start, end: end - 1 };
          writeAnswer(socket, headOf(shorter), bodyOf(shorter));
        },
      ],
      [
        'a length that does not fit',
        (socket, request) => {
          const [status = '', , place = ''] = headOf(request);
          writeAnswer(socket, [status, `Content-Length: ${SIZE + 1}`, place], bytes);
        },
      ],
      [
        'chunks',
        (socket, request) => {
          const [status = '', , place = ''] = headOf(request);
          writeAnswer(socket, [status, 'Transfer-Encoding: chunked', place], '0\r\n\r\n');
        },
      ],
      ['a malformed head', (socket) => writeAnswer(socket, ['SSH-2.0-OpenSSH'])],
      ['a head without an end', (socket) => void socket.write('HTTP/1.1 206 '.repeat(5000))],
      [
        'more bytes than announced',
        (socket, request) => writeAnswer(socket, headOf(request), Buffer.alloc(100)),
      ],
    ];
    test.each(answers)('%s', async (_, script) => {
      s3.answerWith(script, wellAnswered);
      await expectBytes(0, 50);
      expect(s3.requests.map(({ isBySdk }) => isBySdk)).toEqual([false, true]);
      // The connection with that answer is of no more use.
      await waitUntil('its end', () => s3.countOpenConnections() === 1);
      await expectBytes();
    });

    test('a missing object', async () => {
      s3.answerWith(refusal('404 Not Found', 'NoSuchKey'));
      expect(await failureOf(readObject(store, key, 0, 1))).toBeInstanceOf(ObjectNotFound);
    });

    test.each([
      ['a refusal', '403 Forbidden', 'AccessDenied', 'AccessDenied: no AccessDenied'],
      ['a range behind the end', '416 Range Not Satisfiable', 'InvalidRange', 'shorter'],
    ])('%s, which is told', async (_, status, code, text) => {
      s3.answerWith(refusal(status, code));
      const error = await failureOf(readObject(store, key, 0, 1));
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(error.message).toContain(text);
      expect(s3.requests).toHaveLength(2);
    });

    test('throttling, until it ends', async () => {
      const slowDown = refusal('503 Slow Down', 'SlowDown');
      s3.answerWith(slowDown, slowDown, slowDown, wellAnswered);
      await expectBytes();
      expect(s3.requests).toHaveLength(4);
    });
  });

  describe('connections', () => {
    test('are used again', async () => {
      s3.answerWith(wellAnswered);
      for (let i = 0; i < 5; i += 1) await expectBytes(i, SIZE - i);
      expect(s3.requests.map(({ turn }) => turn)).toEqual([1, 2, 3, 4, 5]);
      expect(s3.countConnections()).toBe(1);
    });

    test('are not used again when S3 says so', async () => {
      s3.answerWith((socket, request) =>
        writeAnswer(socket, headOf(request, ['Connection: close']), bodyOf(request)),
      );
      await expectBytes();
      await expectBytes();
      expect(s3.requests.map(({ turn }) => turn)).toEqual([1, 1]);
      await waitUntil('their end', () => s3.countOpenConnections() === 0);
    });

    test('that S3 closed while they were idle are replaced', async () => {
      s3.answerWith(wellAnswered);
      await expectBytes();
      s3.endConnections();
      await waitUntil('their end', () => s3.countOpenConnections() === 0);
      await expectBytes();
      expect(s3.requests.map(({ turn }) => turn)).toEqual([1, 1]);
    });

    test.each<readonly [string, Script]>([
      ['ends', (socket) => socket.end()],
      ['breaks', (socket) => socket.resetAndDestroy()],
    ])('a kept one that %s with the request is replaced at once, once', async (_, cut) => {
      s3.answerWith(wellAnswered, wellAnswered, cut, wellAnswered);
      // Two of them are kept then.
      await Promise.all([expectBytes(), expectBytes()]);
      expect(s3.countConnections()).toBe(2);
      await expectBytes();
      expect(s3.requests.map(({ turn }) => turn)).toEqual([1, 1, 2, 1]);
    });

    test('on which more comes than was asked for are given up', async () => {
      s3.answerWith((socket, request) => {
        writeAnswer(socket, headOf(request), bodyOf(request));
        writeAnswer(socket, headOf(request), Buffer.alloc(SIZE));
      }, wellAnswered);
      await expectBytes();
      await waitUntil('its end', () => s3.countOpenConnections() === 0);
      await expectBytes();
    });

    test('end when a reader ends early', async () => {
      s3.answerWith(wellAnswered);
      for await (const chunk of store.read(key, 0, SIZE)) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      await waitUntil('its end', () => s3.countOpenConnections() === 0);
    });
  });

  describe('faults', () => {
    test.each<readonly [string, (socket: Socket) => unknown]>([
      ['ends early', (socket) => socket.end()],
      ['breaks', (socket) => setTimeout(() => socket.resetAndDestroy(), 50)],
      ['falls silent', () => undefined],
    ])('a body that %s goes on where it stood', async (_, fault) => {
      s3.answerWith((socket, request) => {
        writeAnswer(socket, headOf(request), bodyOf(request).subarray(0, 300_000));
        fault(socket);
      }, wellAnswered);
      await expectBytes();
      expect(startsOf()).toEqual([0, 300_000]);
      expect(s3.requests.some(({ isBySdk }) => isBySdk)).toBe(false);
    });

    test.each<readonly [string, Script]>([
      ['in the head', (socket) => socket.end('HTTP/1.1 206 Partial')],
      [
        'after the head',
        (socket, request) => {
          writeAnswer(socket, headOf(request));
          socket.end();
        },
      ],
      ['before the head', (socket) => socket.end()],
    ])('a connection that ends %s, each time, is StoreUnavailable', async (_, script) => {
      s3.answerWith(script);
      const error = await failureOf(readObject(store, key, 0, SIZE));
      expect(error).toBeInstanceOf(StoreUnavailable);
      expect(s3.requests.length).toBeGreaterThan(1);
      await waitUntil('the end', () => s3.countOpenConnections() === 0);
    });

    test('a silent server is StoreUnavailable', async () => {
      s3.answerWith(() => undefined);
      const error = await failureOf(readObject(store, key, 0, SIZE));
      expect(error).toBeInstanceOf(StoreUnavailable);
      await waitUntil('the end', () => s3.countOpenConnections() === 0);
    });

    test('a reader may take longer than S3 may be silent', async () => {
      s3.answerWith(wellAnswered);
      let isFirst = true;
      const read = await readObject(store, key, 0, SIZE, async () => {
        if (isFirst) await delay(3 * TIMEOUTS.silenceMs);
        isFirst = false;
      });
      expect(read.equals(bytes)).toBe(true);
      expect(s3.requests).toHaveLength(1);
    });

    test('errors tell neither the URL nor its signature', async () => {
      s3.answerWith((socket) => socket.resetAndDestroy());
      const errors = [await failureOf(readObject(store, key, 0, SIZE))];
      s3.answerWith(() => undefined);
      errors.push(await failureOf(readObject(store, key, 0, SIZE)));
      for (const error of errors) {
        for (const secret of ['Signature', 'X-Amz-', '/bucket/', 'someone']) {
          expect(inspect(error, { depth: 8 })).not.toContain(secret);
        }
      }
    });
  });

  test('no more is read than is asked for, but for what the kernel takes', async () => {
    const sizeBytes = 256 * MIB;
    let sentBytes = 0;
    s3.answerWith(async (socket, request) => {
      writeAnswer(socket, headOf(request));
      const piece = Buffer.alloc(MIB, 'x');
      while (sentBytes < sizeBytes && !socket.destroyed) {
        await new Promise((resolve) => {
          socket.write(piece, resolve);
        });
        sentBytes += MIB;
      }
    });
    for await (const chunk of store.read(key, 0, sizeBytes)) {
      expect(chunk.length).toBeLessThanOrEqual(MIB);
      await delay(500);
      break;
    }
    expect(sentBytes).toBeLessThan(sizeBytes);
  });
});
