import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cloudEvent } from '../../src/events/cloud-event.ts';
import { signatureHeaders } from '../../src/events/webhook-signature.ts';
import { type BackgroundProcess, execute, startInBackground } from '../support/process-runner.ts';
import { DIGEST, registryEvent } from '../support/registry-events.ts';
import { waitUntil } from '../support/wait-until.ts';
import { NEVER, WebhookSinks } from '../support/webhook-scene.ts';

/* The receiver of docs/webhooks.md, as it stands there, as a process. */

const EXAMPLE = fileURLToPath(new URL('../../docs/webhook-receiver.js', import.meta.url));
const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const SECRET = `whsec_${KEY.toString('base64')}`;
/** What a time stamp may differ by. */
const TOLERANCE_SECONDS = 300;

interface Receiver {
  readonly url: string;
  readonly process: BackgroundProcess;
  /** The lines about events that were handled. */
  handled(): string[];
}

async function startReceiver(
  env: Readonly<Record<string, string>> = {},
  options: readonly string[] = [],
): Promise<Receiver> {
  const child = startInBackground(process.execPath, [...options, EXAMPLE], {
    env: { WEBHOOK_SECRET: SECRET, PORT: '0', ...env },
  });
  const url = await waitUntil('the receiver', () => /listening on (\S+)/.exec(child.screen())?.[1]);
  return {
    url,
    process: child,
    handled: () =>
      child
        .screen()
        .split('\n')
        .filter((line) => line.startsWith('io.pierone')),
  };
}

interface Call {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A genuine one, of an event of its own. */
function callOf(id: string, secondsAgo = 0, keys = [KEY]): Call {
  const body = cloudEvent(registryEvent({ id }), 'https://r.example.org');
  const now = new Date(Date.now() - secondsAgo * 1000);
  return { body, headers: signatureHeaders(id, body, keys, now) };
}

async function send(receiver: Receiver, { body, headers }: Call): Promise<number> {
  return (await fetch(receiver.url, { method: 'POST', headers, body })).status;
}

let receiver: Receiver;
const sinks = new WebhookSinks();

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(async () => {
  sinks.close();
  await receiver?.process.end();
});

describe('accepts', () => {
  test('what the registry sends', async () => {
    await sinks.to(receiver.url, { keys: [KEY] }).deliver(registryEvent(), NEVER);
    const line = `io.pierone.tag.created acme/shop/frontend:1.0 ${DIGEST}`;
    await waitUntil('the event', () => receiver.handled().includes(line));
  });

  test('what is signed with two secrets, of which it knows one', async () => {
    expect(await send(receiver, callOf('two', 0, [OTHER_KEY, KEY]))).toBe(204);
  });

  test('a time stamp that is nearly too old, and one of a clock that is ahead', async () => {
    expect(await send(receiver, callOf('old', TOLERANCE_SECONDS - 30))).toBe(204);
    expect(await send(receiver, callOf('ahead', -TOLERANCE_SECONDS + 30))).toBe(204);
  });

  test('a later attempt with the same event, without handling it again', async () => {
    expect(await send(receiver, callOf('again', 20))).toBe(204);
    const before = receiver.handled().length;
    expect(await send(receiver, callOf('again', 10))).toBe(200);
    expect(await send(receiver, callOf('again', 0))).toBe(200);
    expect(receiver.handled()).toHaveLength(before);
  });
});

describe('refuses, and doesn’t handle,', () => {
  const genuine = (id: string) => callOf(id);
  const signature = (value: string): Call => {
    const { body, headers } = genuine('forged');
    return { body, headers: { ...headers, 'webhook-signature': value } };
  };
  const changed = (name: string, value: string): Call => {
    const { body, headers } = genuine('forged');
    return { body, headers: { ...headers, [name]: value } };
  };
  const without = (name: string): Call => {
    const { body, headers } = genuine('forged');
    return {
      body,
      headers: Object.fromEntries(Object.entries(headers).filter(([n]) => n !== name)),
    };
  };

  test.each<[string, () => Call]>([
    ['another’s signature', () => callOf('forged', 0, [OTHER_KEY])],
    ['a changed body', () => ({ ...genuine('forged'), body: genuine('other').body })],
    ['a changed id', () => changed('webhook-id', 'other')],
    [
      'a changed time',
      () => changed('webhook-timestamp', String(Math.floor(Date.now() / 1000) - 1)),
    ],
    ['a signature of nothing', () => signature('v1,')],
    [
      'a signature without version',
      () => signature(String(genuine('x').headers['webhook-signature']).slice(3)),
    ],
    [
      'a part of a signature',
      () => signature(String(genuine('forged').headers['webhook-signature']).slice(0, 20)),
    ],
    [
      'a signature of another version',
      () => signature(String(genuine('forged').headers['webhook-signature']).replace('v1', 'v2')),
    ],
    ['no signature', () => without('webhook-signature')],
    ['no time', () => without('webhook-timestamp')],
    ['no id', () => without('webhook-id')],
    ['an old time stamp', () => callOf('late', TOLERANCE_SECONDS + 1)],
    ['a time stamp of the future', () => callOf('early', -TOLERANCE_SECONDS - 30)],
  ])('%s', async (_, call) => {
    const before = receiver.handled().length;
    expect(await send(receiver, call())).toBe(401);
    expect(receiver.handled()).toHaveLength(before);
  });

  test('a genuine call that is replayed', async () => {
    const call = genuine('replayed');
    expect(await send(receiver, call)).toBe(204);
    const before = receiver.handled().length;
    expect(await send(receiver, call)).toBe(409);
    expect(receiver.handled()).toHaveLength(before);
  });

  test('a call that is replayed after a later attempt with the same event', async () => {
    const first = callOf('twice', 10);
    expect(await send(receiver, first)).toBe(204);
    expect(await send(receiver, callOf('twice'))).toBe(200);
    expect(await send(receiver, first)).toBe(409);
  });

  test('another method, and a body that is too long', async () => {
    expect((await fetch(receiver.url)).status).toBe(405);
    const body = 'a'.repeat(64 * 1024 + 1);
    await expect(fetch(receiver.url, { method: 'POST', body })).rejects.toThrow();
  });
});

test('what can’t be handled may come again', async () => {
  const call = { body: 'no JSON', headers: signatureHeaders('odd', 'no JSON', [KEY], new Date()) };
  expect(await send(receiver, call)).toBe(500);
  expect(await send(receiver, call)).toBe(500);
});

test('it remembers so many ids at most, and accepts no more before the oldest can’t be replayed', async () => {
  const full = TOLERANCE_SECONDS + 1;
  // Its clock goes on by that at each signal.
  const clock = `let ahead = 0;
    const now = Date.now;
    Date.now = () => now() + ahead;
    process.on('SIGUSR2', () => { ahead += ${full * 1000}; process.stdout.write('later\\n'); });`;
  const small = await startReceiver({ WEBHOOK_MAX_IDS: '2' }, [
    `--import=data:text/javascript,${encodeURIComponent(clock)}`,
  ]);
  try {
    const calls = ['1', '2', '3'].map((id) => callOf(id));
    for (const call of calls.slice(0, 2)) expect(await send(small, call)).toBe(204);
    for (const call of calls.slice(2)) expect(await send(small, call)).toBe(503);
    for (const call of calls.slice(0, 2)) expect(await send(small, call)).toBe(409);
    process.kill(small.process.pid, 'SIGUSR2');
    await waitUntil('its clock', () => small.process.screen().includes('later'));
    for (const call of calls) expect(await send(small, call)).toBe(401);
    expect(await send(small, callOf('3', -full))).toBe(204);
  } finally {
    await small.process.end();
  }
});

test.each(['', 'hunter2', 'whsec_hunter2'])(
  'with %j as its secret it does not start',
  async (secret) => {
    const { exitCode, stderr } = await execute(process.execPath, [EXAMPLE], {
      env: { WEBHOOK_SECRET: secret, PORT: '0' },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^WEBHOOK_SECRET must be/);
  },
);
