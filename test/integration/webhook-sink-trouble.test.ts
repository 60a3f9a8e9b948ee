import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate } from '../support/certificates.ts';
import { portOf, startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';
import { EVENT, failureOf, NEVER, WebhookSinks } from '../support/webhook-scene.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/* Deliveries to receivers that can't be reached, aren't trusted, or don't answer. */

const sinks = new WebhookSinks();
afterEach(() => sinks.close());

describe('a receiver that doesn’t answer', () => {
  /** Speaks no HTTP. */
  let server: Server;
  let onConnection: (socket: Socket) => void;
  let open: Socket[];
  const url = () => `http://127.0.0.1:${portOf(server)}`;

  beforeEach(async () => {
    open = [];
    server = createServer((socket) => {
      open.push(socket.on('error', () => undefined));
      onConnection(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('is silent', async () => {
    onConnection = () => undefined;
    const error = await failureOf(sinks.to(url(), { timeoutMs: 100 }));
    expect(error.message).toBe('no answer within 100 ms');
  });

  test('sends its answer letter by letter', async () => {
    onConnection = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nA: ');
      const timer = setInterval(() => socket.write('a'), 10);
      socket.on('close', () => clearInterval(timer));
    };
    const error = await failureOf(sinks.to(url(), { timeoutMs: 100 }));
    expect(error.message).toBe('no answer within 100 ms');
  });

  test('sends nothing but interim answers', async () => {
    onConnection = (socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    };
    const error = await failureOf(sinks.to(url(), { timeoutMs: 100 }));
    expect(error.message).toBe('no answer within 100 ms');
  });

  test.each<[string, (socket: Socket) => void, RegExp]>([
    ['resets', (socket) => socket.on('data', () => socket.resetAndDestroy()), /ECONNRESET|EPIPE/],
    ['hangs up', (socket) => socket.on('data', () => socket.end()), /ECONNRESET/],
    [
      'resets in the middle of its answer’s head',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nA: ', () => socket.resetAndDestroy()),
      /ECONNRESET|EPIPE/,
    ],
    ['speaks something else', (socket) => socket.end('220 mail.example.org ESMTP\r\n'), /HPE_/],
  ])('%s', async (_, behave, expected) => {
    onConnection = behave;
    expect((await failureOf(sinks.to(url()))).message).toMatch(expected);
  });

  test('isn’t there', async () => {
    const gone = url();
    await new Promise((resolve) => server.close(resolve));
    expect((await failureOf(sinks.to(gone))).message).toBe('no answer (ECONNREFUSED)');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  test('has no address', async () => {
    const error = await failureOf(sinks.to('http://receiver.invalid'));
    expect(error.message).toMatch(/^no answer \((ENOTFOUND|EAI_AGAIN)\)$/);
  });

  test('is waited for no longer when the delivery is given up', async () => {
    const given = new AbortController();
    onConnection = () => given.abort();
    expect((await failureOf(sinks.to(url()), given.signal)).message).toBe('it was given up');
    expect((await failureOf(sinks.to(url()), given.signal)).message).toBe('it was given up');
  });

  test('is waited for no longer when the sink is closed', async () => {
    const sink = sinks.to(url());
    onConnection = () => sink.close();
    expect((await failureOf(sink)).message).toBe('no answer (ECONNRESET)');
  });
});

describe('TLS', () => {
  let workspace: Workspace;
  let plain: WebhookReceiver;
  let secure: WebhookReceiver;
  let ca: string;
  let otherCa: string;

  beforeAll(async () => {
    workspace = await createWorkspace();
    plain = await startWebhookReceiver();
    const path = (name: string) => workspace.path(name);
    await makeCertificate(path('cert.pem'), path('key.pem'));
    await makeCertificate(path('other.pem'), path('other-key.pem'));
    [ca, otherCa] = await Promise.all([
      readFile(path('cert.pem'), 'utf8'),
      readFile(path('other.pem'), 'utf8'),
    ]);
    const files = { certFile: path('cert.pem'), keyFile: path('key.pem') };
    secure = await startWebhookReceiver({ files });
  });
  afterAll(async () => {
    await Promise.all([plain?.close(), secure?.close()]);
    await workspace?.dispose();
  });

  test('with the operator’s authority is a delivery', async () => {
    await sinks.to(secure.url, { ca }).deliver(EVENT, NEVER);
    expect(secure.calls).toHaveLength(1);
  });

  test.each<[string, () => string | undefined]>([
    ['an authority that nobody knows', () => undefined],
    ['another authority than the operator’s', () => otherCa],
  ])('with %s is none, and sends nothing', async (_, trusted) => {
    const before = secure.calls.length;
    const error = await failureOf(sinks.to(secure.url, { ca: trusted() }));
    expect(error.message).toMatch(/^its certificate is not accepted \(\w*SELF_SIGNED\w*\)/);
    expect(secure.calls).toHaveLength(before);
  });

  test('for another name is none', async () => {
    const files = { certFile: workspace.path('cert.pem'), keyFile: workspace.path('key.pem') };
    const other = await startWebhookReceiver({ files, host: '127.0.0.2' });
    const error = await failureOf(sinks.to(other.url, { ca }));
    await other.close();
    expect(error.message).toMatch('its certificate is not accepted (ERR_TLS_CERT_ALTNAME_INVALID)');
  });

  test('where there is none, and none where there is', async () => {
    const wrong = (url: string) => failureOf(sinks.to(url, { ca }));
    const [withTls, without] = await Promise.all([
      wrong(plain.url.replace('http:', 'https:')),
      wrong(secure.url.replace('https:', 'http:')),
    ]);
    expect(withTls.message).toMatch(/^no answer \((ERR_SSL_|EPROTO)/);
    expect(without.message).toMatch(/^no answer \(/);
  });
});
