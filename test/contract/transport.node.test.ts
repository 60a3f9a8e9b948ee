import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listenNode } from '../../src/http/node-transport.ts';
import { JsonValue } from '../support/json.ts';
import { type RawClient, requestHead } from '../support/raw-http.ts';
import { bodyOf, Served, text } from '../support/transport-harness.ts';
import { describeTransport } from './transport.ts';

describeTransport('node:http', listenNode);

describe('node:http, what is no request', () => {
  let served: Served;

  beforeEach(async () => {
    served = await Served.start(listenNode);
  });

  afterEach(() => served.stop());

  const expectRefused = async (client: RawClient, expected: number) => {
    const { status, headers, body } = await client.readAnswer();
    expect(status).toBe(expected);
    expect([headers.get('content-type'), headers.get('connection')]).toEqual([
      'application/json',
      'close',
    ]);
    expect(JsonValue.parse(body.toString()).at('errors', 0, 'code').text).toBe('UNSUPPORTED');
    await client.closed();
  };

  test.each([
    ['garbage', 'GARBAGE\r\n\r\n', 400],
    ['a head that is too long', requestHead('GET', '/', { A: 'x'.repeat(20_000) }), 431],
    ['a head that does not end', 'GET / HTTP/1.1\r\n', 408],
  ])('%s is answered with an error of the specification', async (_, bytes, status) => {
    const client = await served.connect();
    client.send(bytes);
    await expectRefused(client, status);
  });

  test('the same after a request that was answered', async () => {
    const client = await served.connect();
    client.send(requestHead('GET', '/'));
    (await served.next()).send(text('first'));
    expect((await client.readAnswer()).body.toString()).toBe('first');
    client.send('GARBAGE\r\n\r\n');
    await expectRefused(client, 400);
  });

  test('behind a request that runs, it cuts the connection: an answer would be taken for the other', async () => {
    const client = await served.connect();
    client.send(requestHead('GET', '/'));
    const exchange = await served.next();
    client.send('GARBAGE\r\n\r\n');
    expect((await client.readToEnd()).toString()).toBe('');
    expect(exchange.isOpen).toBe(false);
  });

  test('in the middle of a body it cuts the body', async () => {
    const client = await served.connect();
    client.send(requestHead('PUT', '/', { 'Transfer-Encoding': 'chunked' }));
    const body = bodyOf(await served.next());
    let received = '';
    const ended = body.deliverTo((chunk) => {
      received += Buffer.from(chunk).toString();
    });
    client.send('5\r\nhello\r\nno length\r\n');
    expect([await ended, received]).toEqual(['cut', 'hello']);
    expect((await client.readToEnd()).toString()).toBe('');
  });

  test('an unknown expectation is a request like others', async () => {
    const client = await served.connect();
    client.send(requestHead('GET', '/', { Expect: 'miracles' }));
    (await served.next()).send(text('none'));
    expect((await client.readAnswer()).body.toString()).toBe('none');
  });
});
