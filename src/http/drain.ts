import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Transport } from './exchange.ts';
import { holdConnections } from './hold-connections.ts';

/** A connection's begin, between the places of a data centre. Who asks for one meanwhile waits for a second. */
const HANDSHAKE_MS = 10;
/** Most time from the end of the port to the last request of a connection that is there. */
const SETTLE_MS = 500;
const LOOK_MS = 10;
/** Time for storing what cut requests had sent. With SHUTDOWN_TIMEOUT's default it ends within the 30 s of Kubernetes. */
const CUT_TIMEOUT_MS = 3_000;

/**
 * Ends a transport so that clients don't notice: accepts what has begun, lets running requests end until the time-out,
 * cuts the others, and waits until what they sent is stored, for three seconds.
 */
export async function drain(transport: Transport, timeoutMs: number, log: Log): Promise<void> {
  if (timeoutMs > 0) await letHandshakesEnd(transport, log);
  transport.stopAccepting();
  const time = new AbortController();
  const isTimeOver = delay(timeoutMs, true, { signal: time.signal });
  const isIdle = settle(transport, timeoutMs).then(() => transport.idle());
  if (await Promise.race([isIdle.then(() => false), isTimeOver])) {
    log.warn('requests were still running at the end of SHUTDOWN_TIMEOUT, and are cut');
  }
  time.abort();
  transport.close();
  // What the cut requests sent is still being stored.
  await Promise.race([transport.idle(), delay(CUT_TIMEOUT_MS, undefined, { ref: false })]);
}

/** Connections that a balancer was given just now come to be accepted, and no further ones. */
async function letHandshakesEnd(transport: Transport, log: Log): Promise<void> {
  try {
    await holdConnections(transport.port);
    await delay(HANDSHAKE_MS);
    // Until two turns of the event loop accept nothing: node:http accepts one in each.
    for (let before = -1; before < transport.accepted; ) {
      before = transport.accepted;
      await nextTurn();
      await nextTurn();
    }
  } catch (error) {
    log.debug({ err: error }, 'connections that begin while the port closes may be lost');
  }
}

/** A connection that a balancer or a client has may bring one more request, which is told that it is the last. */
async function settle(transport: Transport, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + Math.min(SETTLE_MS, timeoutMs);
  while (transport.connections > 0 && performance.now() < endMs) await delay(LOOK_MS);
}
