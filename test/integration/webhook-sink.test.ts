import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signatureHeaders } from '../../src/events/webhook-signature.ts';
import { waitUntil } from '../support/wait-until.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { EVENT, failureOf, KEY, NEVER, PATH, WebhookSinks } from '../support/webhook-scene.ts';

/* Deliveries to receivers that are real, and answer. */

const sinks = new WebhookSinks();
let receiver: WebhookReceiver;

beforeEach(async () => {
  receiver = await startWebhookReceiver();
});
afterEach(async () => {
  sinks.close();
  await receiver.close();
});

describe('a call', () => {
  test('is a POST with the event, signed at the time of the attempt', async () => {
    const before = Math.floor(Date.now() / 1000);
    await sinks.to(receiver.url).deliver(EVENT, NEVER);
    const call = receiver.calls[0];
    const seconds = Number(call?.headers['webhook-timestamp']);
    expect(seconds).toBeGreaterThanOrEqual(before);
    expect(seconds).toBeLessThanOrEqual(Math.floor(Date.now() / 1000));
    expect(call).toMatchObject({
      method: 'POST',
      target: PATH,
      headers: {
        host: new URL(receiver.url).host,
        authorization: 'Bearer s3cret-header',
        'user-agent': 'pierone',
        'content-type': 'application/cloudevents+json; charset=UTF-8',
        'content-length': String(call?.body.length),
        ...signatureHeaders(EVENT.id, call?.body ?? '', [KEY], new Date(seconds * 1000)),
      },
    });
    expect(JSON.parse(call?.body ?? '')).toMatchObject({
      id: EVENT.id,
      source: 'https://r.example.org',
      subject: 'acme/shop/frontend:1.0',
    });
  });

  test('in the format of distribution has its type, and no signature without a secret', async () => {
    const headers = { 'user-agent': 'ours/1' };
    const sink = sinks.to(receiver.url, { format: 'distribution', keys: [], headers });
    await sink.deliver(EVENT, NEVER);
    expect(receiver.calls[0]?.headers).toMatchObject({
      'content-type': 'application/vnd.docker.distribution.events.v2+json',
      'user-agent': 'ours/1',
      'webhook-id': EVENT.id,
    });
    expect(receiver.calls[0]?.headers).not.toHaveProperty('webhook-signature');
    expect(JSON.parse(receiver.calls[0]?.body ?? '')).toMatchObject({
      events: [{ action: 'push', target: { repository: 'acme/shop/frontend' } }],
    });
  });
});

describe('an answer', () => {
  test.each([200, 201, 202, 204, 299])('%i is a delivery', async (status) => {
    receiver.answer((response) => response.writeHead(status).end());
    await sinks.to(receiver.url).deliver(EVENT, NEVER);
  });

  test.each([400, 401, 404, 410, 413, 429, 500, 503])('%i is none', async (status) => {
    receiver.answer((response) => response.writeHead(status).end('s3cret of the receiver'));
    const error = await failureOf(sinks.to(receiver.url));
    expect(error.message).toBe(`it answers with status ${status}`);
    expect(error.retryAfterMs).toBeUndefined();
  });

  test.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    receiver.answer((response) => response.writeHead(status, { location: '/elsewhere' }).end());
    const error = await failureOf(sinks.to(receiver.url));
    expect(error.message).toBe(`it redirects (status ${status}), which is not followed`);
    expect(receiver.calls).toHaveLength(1);
  });

  test('says with Retry-After when to come again', async () => {
    receiver.answer((response) => response.writeHead(503, { 'retry-after': '7' }).end());
    expect((await failureOf(sinks.to(receiver.url))).retryAfterMs).toBe(7000);
    const date = new Date(Date.now() + 600_000).toUTCString();
    receiver.answer((response) => response.writeHead(429, { 'retry-after': date }).end());
    const { retryAfterMs = 0 } = await failureOf(sinks.to(receiver.url));
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(600_000);
  });

  test.each([200, 500])('%i without an end to its body is not read on', async (status) => {
    const cut = new Promise<void>((resolve) => {
      receiver.answer((response) => {
        response.on('close', resolve).writeHead(status);
        const write = () => {
          while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        };
        response.on('drain', write);
        write();
      });
    });
    const delivery = sinks.to(receiver.url).deliver(EVENT, NEVER);
    await (status === 200 ? delivery : expect(delivery).rejects.toThrow('status 500'));
    await cut;
  });

  test('with more headers than anyone needs is none', async () => {
    receiver.answer((response) => response.writeHead(200, { a: 'a'.repeat(100_000) }).end());
    expect((await failureOf(sinks.to(receiver.url))).message).toMatch(/HPE_HEADER_OVERFLOW/);
  });

  test('that changes the protocol is none', async () => {
    const upgrade = { upgrade: 'websocket', connection: 'upgrade' };
    receiver.answer((response) => response.writeHead(101, upgrade).end());
    expect((await failureOf(sinks.to(receiver.url))).message).toMatch(/^no answer/);
  });
});

describe('connections', () => {
  test('are used again', async () => {
    receiver.answer((response) => response.writeHead(200).end('thank you'));
    const sink = sinks.to(receiver.url);
    for (let n = 0; n < 5; n += 1) await sink.deliver(EVENT, NEVER);
    expect(receiver.connections).toBe(1);
  });

  test('that the receiver has ended meanwhile are no failure', async () => {
    receiver.answer((response, n, request) => {
      // A receiver that restarts, say: it takes the second call on a kept connection, and resets.
      if (n === 1) request.socket.resetAndDestroy();
      else response.writeHead(204).end();
    });
    const sink = sinks.to(receiver.url);
    await sink.deliver(EVENT, NEVER);
    await sink.deliver(EVENT, NEVER);
    expect(receiver.calls).toHaveLength(3);
    expect(receiver.connections).toBe(2);
  });

  test('are no more at the same time than deliveries may be', async () => {
    const held: (() => void)[] = [];
    receiver.answer((response) => held.push(() => response.writeHead(204).end()));
    const sink = sinks.to(receiver.url, {}, 3);
    const deliveries = Promise.all(Array.from({ length: 10 }, () => sink.deliver(EVENT, NEVER)));
    for (let n = 0; n < 10; n += 1) (await waitUntil('a call', () => held.shift()))();
    await deliveries;
    expect(receiver.mostConnections).toBe(3);
  });
});
