import { randomUUID } from 'node:crypto';
import type { AccessLine, AccessLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { inTrace, readTraceContext } from '../trace-context.ts';
import type { Exchange, Handler } from './exchange.ts';
import { ObservedExchange } from './observed-exchange.ts';
import type { Proxies } from './proxies.ts';

/** Of what clients write into a log line, as much as tells them apart. */
const MAX_USER_AGENT = 200;
const MAX_REQUEST_ID = 128;
const MAX_PATH = 1024;
const MAX_METHOD = 32;

export interface ObserverParts {
  readonly metrics: Metrics;
  readonly proxies: Proxies;
  /** Gets a line for each request. Undefined: nobody wants them. */
  readonly accessLog: AccessLog | undefined;
}

/**
 * Wraps what answers requests: each is counted and timed, gets a line in the access log, and runs in the trace that
 * its client began.
 */
export function observeRequests(
  parts: ObserverParts,
  handler: (exchange: ObservedExchange) => Promise<void> | undefined,
): Handler {
  const prefix = randomUUID().slice(0, 8);
  let count = 0;
  return (exchange) => {
    count += 1;
    const givenId = readRequestId(exchange);
    const notes = {
      id: givenId ?? `${prefix}-${count}`,
      trace: readTraceContext((name) => exchange.header(name)),
      route: 'none' as const,
      uid: undefined,
      errorCode: undefined,
    };
    const observed = new ObservedExchange(exchange, notes, givenId);
    return inTrace(notes.trace, () => observe(observed, handler, parts));
  };
}

/** The client's own, if it can stand in a header and a log line as it is: printable ASCII, no quotes, no backslashes. */
function readRequestId(exchange: Exchange): string | undefined {
  const given = exchange.header('x-request-id');
  if (given === undefined) return undefined;
  return /^[!#-[\]-~]+$/.exec(given)?.[0].slice(0, MAX_REQUEST_ID);
}

function observe(
  exchange: ObservedExchange,
  handler: (exchange: ObservedExchange) => Promise<void> | undefined,
  parts: ObserverParts,
): Promise<void> | undefined {
  const begin = performance.now();
  // Once the answer is out, it can't be asked for any more.
  const client = parts.accessLog ? parts.proxies.addressOf(exchange) : '';
  parts.metrics.requestBegan();
  const work = handler(exchange);
  if (work) return work.then(() => tellEnd(exchange, client, begin, parts));
  tellEnd(exchange, client, begin, parts);
  return undefined;
}

function tellEnd(
  exchange: ObservedExchange,
  client: string,
  begin: number,
  { metrics, accessLog }: ObserverParts,
): void {
  const line = lineOf(exchange, client, performance.now() - begin);
  metrics.requestEnded(line);
  accessLog?.(line);
}

function lineOf(exchange: ObservedExchange, client: string, ms: number): AccessLine {
  const { notes, status, method, path } = exchange;
  return {
    requestId: notes.id,
    method: method.slice(0, MAX_METHOD),
    path: path.slice(0, MAX_PATH),
    route: notes.route,
    status,
    receivedBytes: exchange.receivedBytes,
    sentBytes: exchange.sentBytes,
    ms: Math.round(ms * 1000) / 1000,
    endMs: Date.now(),
    client,
    uid: notes.uid,
    userAgent: exchange.header('user-agent')?.slice(0, MAX_USER_AGENT),
    code: notes.errorCode,
    isCut: exchange.isCut || status === undefined,
    trace: notes.trace,
  };
}
