import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../log.ts';
import type { Transport } from './exchange.ts';
import { refuseConnections } from './refuse-connections.ts';

/** A connection's begin, between the places of a data centre. */
const HANDSHAKE_MS = 100;
/** So often, with a pause between, a connection is waited for that may bring one more request: half a second, or more. */
const SETTLE_LOOKS = 50;
const LOOK_MS = 10;
/** Time for storing what cut requests had sent. With SHUTDOWN_TIMEOUT's default it ends within the 30 s of Kubernetes. */
const CUT_TIMEOUT_MS = 3_000;

/**
 * Ends a transport so that clients don't notice: accepts what has begun, lets running requests end until the time-out,
 * cuts the others, and waits until what they sent is stored, for three seconds.
 */
export async function drain(transport: Transport, timeoutMs: number, log: Log): Promise<void> {
  if (timeoutMs > 0) await acceptWhatHasBegun(transport, log);
  transport.stopAccepting();
  const time = new AbortController();
  const isTimeOver = delay(timeoutMs, true, { signal: time.signal });
  const isIdle = settle(transport, time.signal).then(() => transport.idle());
  if (await Promise.race([isIdle.then(() => false), isTimeOver])) {
    log.warn('requests were still running at the end of SHUTDOWN_TIMEOUT, and are cut');
  }
  time.abort();
  transport.close();
  // What the cut requests sent is still being stored.
  await Promise.race([transport.idle(), delay(CUT_TIMEOUT_MS, undefined, { ref: false })]);
}

/** Connections that a balancer was given just now come to be accepted, and no further ones. */
async function acceptWhatHasBegun(transport: Transport, log: Log): Promise<void> {
  try {
    await refuseConnections(transport.port);
    await delay(HANDSHAKE_MS);
    // Until two turns of the event loop accept nothing: node:http accepts one in each.
    for (let before = -1; before < transport.accepted; ) {
      before = transport.accepted;
      await nextTurn();
      await nextTurn();
    }
  } catch (error) {
    log.info({ err: error }, 'a connection that begins while the port closes may be lost');
  }
}

/**
 * A connection that a balancer or a client has may bring one more request, which is told that it is the last. Looks are
 * counted, not time: on a machine that is held up, who writes the request is, too.
 */
async function settle(transport: Transport, signal: AbortSignal): Promise<void> {
  for (let look = 0; look < SETTLE_LOOKS; look += 1) {
    if (transport.connections === 0 || signal.aborted) return;
    await delay(LOOK_MS);
  }
}
