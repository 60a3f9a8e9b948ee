/*
 * A receiver of Pier One's webhooks in Node.js 20, without packages:
 *
 *     WEBHOOK_SECRET=whsec_… PORT=8000 node webhook-receiver.js
 *
 * It verifies that a call comes from the registry (Standard Webhooks: HMAC-SHA256 of id, time and body), that it isn't
 * old, and that it wasn't there before. Outside of a package with "type": "module" call the file webhook-receiver.mjs.
 * It listens on 127.0.0.1: put a proxy that speaks TLS in front of it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

/** Clocks may differ, and calls be on their way, for so long. */
const TOLERANCE_SECONDS = 300;
/** The longest that ids are kept in memory, as long as there is room; a real receiver keeps them with what it does. */
const REMEMBER_SECONDS = 3600;
const MAX_IDS = Number(process.env.WEBHOOK_MAX_IDS ?? 100_000);
const MAX_BODY_BYTES = 64 * 1024;

const key = readKey(process.env.WEBHOOK_SECRET ?? '');

/** What has come: id → the time stamp of the latest call with it, in seconds, and whether it is handled. The oldest first. */
const seen = new Map();

/** What is done about an event. Throw, and the registry sends it again. */
async function handle(event) {
  process.stdout.write(`${event.type} ${event.subject ?? ''} ${event.data.digest ?? ''}\n`);
}

function readKey(secret) {
  const bytes = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  if (secret.startsWith('whsec_') && bytes.length >= 24) return bytes;
  process.stderr.write('WEBHOOK_SECRET must be whsec_ and the base64 of 24 bytes or more\n');
  process.exit(1);
}

/** Some of the signatures is ours: there are two while the secret is changed. Which one, and how nearly, stays unknown. */
function isGenuine(id, time, body, signatures) {
  const expected = createHmac('sha256', key).update(`${id}.${time}.`).update(body).digest();
  return signatures.split(' ').some((signature) => {
    const [version, value = ''] = signature.split(',');
    const given = Buffer.from(value, 'base64');
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Makes room. False: there is none, since what could be replayed must be known. */
function hasRoom(now) {
  for (const [id, { seconds }] of seen) {
    const age = now - seconds;
    const isNeeded = age <= (seen.size < MAX_IDS ? REMEMBER_SECONDS : TOLERANCE_SECONDS);
    if (isNeeded) break;
    seen.delete(id);
  }
  return seen.size < MAX_IDS;
}

/** The status of the answer. Only 2xx is a delivery: after anything else the registry sends the event again. */
async function receive(headers, body) {
  const id = headers['webhook-id'] ?? '';
  const time = headers['webhook-timestamp'] ?? '';
  const now = Math.floor(Date.now() / 1000);
  // The signature first: what isn't genuine is told nothing else.
  if (!isGenuine(id, time, body, headers['webhook-signature'] ?? '')) return 401;
  const seconds = Number(time);
  if (!(Math.abs(now - seconds) <= TOLERANCE_SECONDS)) return 401;
  const before = seen.get(id);
  if (before !== undefined) {
    // The same call once more is a replay: another attempt of the registry has a later time.
    if (seconds <= before.seconds) return 409;
    if (!before.isHandled) return 503;
    before.seconds = seconds;
    return 200;
  }
  if (!hasRoom(now)) return 503;
  const entry = { seconds, isHandled: false };
  seen.set(id, entry);
  try {
    await handle(JSON.parse(body.toString()));
    entry.isHandled = true;
    return 204;
  } catch (error) {
    seen.delete(id);
    process.stderr.write(`${error.stack}\n`);
    return 500;
  }
}

async function readBody(request) {
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    size += piece.length;
    if (size > MAX_BODY_BYTES) throw new Error('the body is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function answer(request, response) {
  if (request.method !== 'POST') {
    response.writeHead(405, { allow: 'POST' }).end();
    return;
  }
  const body = await readBody(request);
  response.writeHead(await receive(request.headers, body)).end();
}

const server = createServer((request, response) => {
  // Who sends too much, or hangs up in the middle, gets no answer.
  answer(request, response).catch(() => response.destroy());
});
server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`);
});
