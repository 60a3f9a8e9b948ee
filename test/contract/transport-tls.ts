import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ListenError } from '../../src/http/exchange.ts';
import { makeCertificate } from '../support/certificates.ts';
import { RawClient, requestHead } from '../support/raw-http.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import {
  bodyOf,
  collect,
  type Listen,
  OPTIONS,
  Served,
  text,
} from '../support/transport-harness.ts';
import { waitUntil } from '../support/wait-until.ts';

const MIB = 1024 * 1024;

async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += chunkBytes) {
    yield bytes.subarray(from, from + chunkBytes);
  }
}

/** The part of describeTransport about TLS: the main cases again, and certificates. */
export function describeTls(name: string, listen: Listen): void {
  describe(`TLS: ${name}`, () => {
    const random = new SeededRandom(10);
    let directory: string;
    let served: Served;
    const file = (of: string) => join(directory, of);
    const tls = () => ({ certFile: file('cert.pem'), keyFile: file('key.pem') });
    const use = async (certificate: 'first' | 'second') => {
      await copyFile(file(`${certificate}.pem`), file('cert.pem'));
      await copyFile(file(`${certificate}.key`), file('key.pem'));
    };

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'pierone-tls-'));
      for (const of of ['first', 'second']) {
        await makeCertificate(file(`${of}.pem`), file(`${of}.key`));
      }
    });

    afterAll(() => rm(directory, { recursive: true, force: true }));

    beforeEach(async () => {
      await use('first');
      served = await Served.start(listen, { tls: tls() });
    });

    afterEach(async () => {
      await served.stop();
    });

    const request = async (...head: Parameters<typeof requestHead>) => {
      const client = await served.connect();
      client.send(requestHead(...head));
      return { client, exchange: await served.next() };
    };
    const expectAnswered = async (client: RawClient) => {
      client.send(requestHead('GET', '/next'));
      (await served.next()).send(text('next'));
      expect((await client.readAnswer()).body.toString()).toBe('next');
    };

    test('a request is answered, and the connection goes on', async () => {
      const { client, exchange } = await request('GET', '/v2/?n=1', { 'X-Name': 'a' });
      expect([exchange.path, exchange.query, exchange.header('x-name')]).toEqual([
        '/v2/',
        'n=1',
        'a',
      ]);
      expect(exchange.remoteAddress).toBe('127.0.0.1');
      exchange.send(text('hello'));
      expect((await client.readAnswer()).body.toString()).toBe('hello');
      await expectAnswered(client);
    });

    test('a body arrives, and holds its sender back while nobody takes it', async () => {
      const bytes = random.bytes(40 * MIB);
      const { client, exchange } = await request('PUT', '/', { 'Content-Length': bytes.length });
      const sent = client.sendAll(random.cut(bytes, MIB));
      for (let i = 0; i < 5; i += 1) await expectAnswered(await served.connect());
      expect(client.unsentBytes).toBeGreaterThan(0);
      const { end, bytes: received } = await collect(bodyOf(exchange));
      await sent;
      expect([end, received.equals(bytes)]).toEqual(['complete', true]);
      exchange.send(text('stored', 201));
      expect((await client.readAnswer()).status).toBe(201);
      await expectAnswered(client);
    });

    test('a sender that goes away leaves what had arrived', async () => {
      const { client, exchange } = await request('PUT', '/', { 'Content-Length': 1_000_000 });
      let received = 0;
      const ended = bodyOf(exchange).deliverTo((chunk) => {
        received += chunk.length;
      });
      await client.sendAll([random.bytes(300_000)]);
      await waitUntil('its bytes', () => received === 300_000);
      client.end();
      expect([await ended, exchange.isOpen]).toEqual(['cut', false]);
    });

    test('an answer before the body was read reaches its client', async () => {
      const { client, exchange } = await request('PUT', '/', { 'Content-Length': 30 * MIB });
      exchange.send(text('who are you?', 401));
      await client.sendAll(Array(30).fill(Buffer.alloc(MIB)));
      expect((await client.readAnswer()).status).toBe(401);
      await expectAnswered(client);
    });

    test('an answer in the middle of a body that comes fast reaches its client, every time', async () => {
      const bytes = random.bytes(8 * MIB);
      const body = [`${bytes.length.toString(16)}\r\n`, bytes, '\r\n0\r\n\r\n'].map((part) =>
        Buffer.from(part),
      );
      const headers = { 'Transfer-Encoding': 'chunked', Connection: 'close' };
      for (let time = 0; time < 150; time += 1) {
        const { client, exchange } = await request('PUT', '/', headers);
        let received = 0;
        void bodyOf(exchange).deliverTo((chunk) => {
          received += chunk.length;
          if (received > 4 * MIB) exchange.send(text('too large', 413));
        });
        client.send(Buffer.concat(body));
        expect((await client.readAnswer()).status).toBe(413);
        await client.closed();
      }
    });

    test('a streamed answer arrives, also where its reader pauses', async () => {
      const bytes = random.bytes(20 * MIB + 7);
      const { client, exchange } = await request('GET', '/');
      client.pauseReading();
      const sent = exchange.stream(
        { status: 200, headers: {} },
        bytes.length,
        inChunks(bytes, 512 * 1024),
      );
      for (let i = 0; i < 5; i += 1) await expectAnswered(await served.connect());
      client.resumeReading();
      expect((await client.readAnswer()).body.equals(bytes)).toBe(true);
      expect(await sent).toBe(bytes.length);
      await expectAnswered(client);
    });

    test('who speaks no TLS is cut, and so is a handshake that never ends', async () => {
      const plain = await RawClient.open(served.transport.port);
      const silent = await RawClient.open(served.transport.port);
      plain.send(requestHead('GET', '/'));
      // The beginning of a ClientHello.
      silent.send(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
      await Promise.all([plain.closed(), silent.closed()]);
      await expectAnswered(await served.connect());
    });

    test('close cuts handshakes too', async () => {
      const silent = await RawClient.open(served.transport.port);
      await expectAnswered(await served.connect());
      served.transport.close();
      await silent.closed();
    });

    describe('renewed files', () => {
      test('are for new connections; those that are open go on', async () => {
        const before = await served.connect();
        const { client, exchange } = await request('PUT', '/', { 'Content-Length': 5 });
        await use('second');
        await served.transport.renewTls();
        const after = await served.connect();
        expect(after.certificateFingerprint).not.toBe(before.certificateFingerprint);
        client.send('hello');
        expect((await collect(bodyOf(exchange))).bytes.toString()).toBe('hello');
        exchange.send(text('stored', 201));
        expect((await client.readAnswer()).status).toBe(201);
        await expectAnswered(before);
        await expectAnswered(after);
      });

      test('that are no pair change nothing', async () => {
        const before = await served.connect();
        await copyFile(file('second.pem'), file('cert.pem'));
        await expect(served.transport.renewTls()).rejects.toThrow(file('key.pem'));
        const after = await served.connect();
        expect(after.certificateFingerprint).toBe(before.certificateFingerprint);
        await expectAnswered(after);
      });

      test('do not open a server again that accepts no more', async () => {
        await use('second');
        const renewing = served.transport.renewTls();
        served.transport.stopAccepting();
        await renewing;
        await expect(served.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      });
    });

    test.each([
      ['a key of another certificate', () => copyFile(file('second.key'), file('key.pem'))],
      ['no key at all', () => writeFile(file('key.pem'), 'not a key')],
      ['no file', () => rm(file('key.pem'))],
    ])('%s is a ListenError that names the file', async (_, spoil) => {
      await spoil();
      const listening = listen({ ...OPTIONS, tls: tls() }, () => Promise.resolve());
      await expect(listening).rejects.toThrow(ListenError);
      await expect(listening).rejects.toThrow(file('key.pem'));
    });
  });
}
