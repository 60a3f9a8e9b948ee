import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePorts } from './free-ports.ts';
import { Pace, Passage } from './s3-proxy-body.ts';
import { type RecordedS3Request, recordS3Request, type S3Request } from './s3-request.ts';

/** What happens to a request. */
export type S3Fault =
  /** The connection is reset; S3 never hears of it. */
  | { readonly kind: 'reset-before' }
  /** The connection is reset when so many bytes of the request's body have gone on to S3. */
  | { readonly kind: 'reset-upload'; readonly afterBytes: number }
  /** S3 does what was asked, and the connection is reset in place of its answer. */
  | { readonly kind: 'lose-answer' }
  /** The connection is reset after so many bytes of the answer's body. */
  | { readonly kind: 'reset-download'; readonly afterBytes: number }
  | { readonly kind: 'delay-answer'; readonly ms: number }
  /** 503 SlowDown in place of S3's answer; S3 never hears of the request. */
  | { readonly kind: 'slow-down' };

export interface FaultChoice {
  /** S3's name of the operation; any unless said. */
  readonly operation?: string;
  readonly fits?: (request: S3Request) => boolean;
  /** Of those that fit, each nth, beginning with the nth. */
  readonly every?: number;
  /** It ends by itself after so many. */
  readonly times?: number;
}

export interface PlannedFault {
  /** How often it has happened. */
  count(): number;
  end(): void;
}

export interface S3ProxyOptions {
  /** Before each request goes on. */
  readonly latencyMs?: number;
  /** Of each connection, in each direction. */
  readonly bytesPerSecond?: number;
}

/** Stands between clients and S3, notes what is asked, and makes trouble when it is told to. */
export interface S3Proxy {
  /** In place of S3's own: the client signs for it, and S3 gets the Host header as it is. */
  readonly endpoint: string;
  /** In the order in which they came. */
  readonly requests: readonly RecordedS3Request[];
  /** Forgets the requests so far. */
  clear(): void;
  /** Requests that are neither answered to the end nor given up. */
  inFlight(): number;
  /** Of all times. */
  maxInFlight(): number;
  /** The first plan that wants a request has it. */
  plan(fault: S3Fault, choice?: FaultChoice): PlannedFault;
  /** S3 is gone: connections break, and new ones are refused. */
  vanish(): Promise<void>;
  /** It is back, at the same endpoint. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

interface Plan {
  readonly fault: S3Fault;
  /** Counts the request if it fits. */
  takes(request: S3Request): boolean;
}

export async function startS3Proxy(
  s3Endpoint: string,
  options: S3ProxyOptions = {},
): Promise<S3Proxy> {
  const [port = 0] = await findFreePorts(1);
  const requests: RecordedS3Request[] = [];
  const plans = new Set<Plan>();
  const agent = new Agent({ keepAlive: true });
  const forwarder = new Forwarder(s3Endpoint, agent, options);
  let inFlight = 0;
  let maxInFlight = 0;
  const server = createServer((request, response) => {
    const record = recordS3Request(request);
    requests.push(record);
    inFlight += 1;
    maxInFlight = Math.max(maxInFlight, inFlight);
    response.on('close', () => {
      inFlight -= 1;
    });
    const fault = [...plans].find((plan) => plan.takes(record))?.fault;
    void forwarder.forward({ request, response, record, fault });
  });
  // Clients take their time, and an idle connection is theirs to close.
  Object.assign(server, { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  await listen(server, port);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    clear: () => void requests.splice(0),
    inFlight: () => inFlight,
    maxInFlight: () => maxInFlight,
    plan: (fault, choice = {}) => addPlan(plans, fault, choice),
    vanish: () => endListening(server),
    comeBack: () => listen(server, port),
    close: async () => {
      await endListening(server);
      agent.destroy();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  if (server.listening) return;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

async function endListening(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

function addPlan(plans: Set<Plan>, fault: S3Fault, choice: FaultChoice): PlannedFault {
  const { operation, fits = () => true, every = 1, times = Number.POSITIVE_INFINITY } = choice;
  let seen = 0;
  let count = 0;
  const plan: Plan = {
    fault,
    takes: (request) => {
      if (operation !== undefined && request.operation !== operation) return false;
      if (count >= times || !fits(request)) return false;
      seen += 1;
      if (seen % every !== 0) return false;
      count += 1;
      return true;
    },
  };
  plans.add(plan);
  return { count: () => count, end: () => void plans.delete(plan) };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: RecordedS3Request;
  readonly fault: S3Fault | undefined;
}

/** Takes requests to S3 and its answers back, bodies as streams. */
class Forwarder {
  readonly #s3: URL;
  readonly #agent: Agent;
  readonly #options: S3ProxyOptions;
  readonly #paces = new WeakMap<Socket, { readonly up: Pace; readonly down: Pace }>();

  constructor(s3Endpoint: string, agent: Agent, options: S3ProxyOptions) {
    this.#s3 = new URL(s3Endpoint);
    this.#agent = agent;
    this.#options = options;
  }

  async forward(exchange: Exchange): Promise<void> {
    const { request, response, record, fault } = exchange;
    request.on('error', () => response.destroy());
    if (fault?.kind === 'reset-before') return reset(response);
    if (fault?.kind === 'slow-down') return slowDown(exchange);
    const { latencyMs = 0 } = this.#options;
    if (latencyMs > 0) await delay(latencyMs);
    if (response.destroyed) return;
    const { hostname, port } = this.#s3;
    const { method, url: path, headers } = request;
    const onward = openRequest({ hostname, port, method, path, headers, agent: this.#agent });
    response.on('close', () => {
      if (!response.writableFinished) onward.destroy();
    });
    onward.on('response', (answer) => void this.#answer(exchange, answer));
    const body = new Passage({
      onBytes: (count) => {
        record.upBytes += count;
      },
      pace: this.#paceOf(request.socket)?.up,
      cut:
        fault?.kind === 'reset-upload'
          ? { afterBytes: fault.afterBytes, onCut: () => reset(response) }
          : undefined,
    });
    pipeline(request, body, onward, (error) => {
      if (error && !response.headersSent) reset(response);
    });
  }

  async #answer(exchange: Exchange, answer: IncomingMessage): Promise<void> {
    const { response, record, fault } = exchange;
    record.status = answer.statusCode;
    answer.on('error', () => reset(response));
    if (fault?.kind === 'lose-answer') {
      answer.resume();
      await once(answer, 'close');
      return reset(response);
    }
    if (fault?.kind === 'delay-answer') await delay(fault.ms, undefined, { ref: false });
    if (response.destroyed) return;
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    const body = new Passage({
      onBytes: (count) => {
        record.downBytes += count;
      },
      pace: this.#paceOf(exchange.request.socket)?.down,
      cut:
        fault?.kind === 'reset-download'
          ? { afterBytes: fault.afterBytes, onCut: () => reset(response) }
          : undefined,
    });
    pipeline(answer, body, response, () => {});
  }

  /** Of a client's connection. */
  #paceOf(socket: Socket) {
    const { bytesPerSecond } = this.#options;
    if (bytesPerSecond === undefined) return undefined;
    const known = this.#paces.get(socket);
    if (known) return known;
    const paces = { up: new Pace(bytesPerSecond), down: new Pace(bytesPerSecond) };
    this.#paces.set(socket, paces);
    return paces;
  }
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
  response.destroy();
}

/** As S3 says it. */
function slowDown({ request, response, record }: Exchange): void {
  request.resume();
  record.status = 503;
  response.writeHead(503, { 'content-type': 'application/xml' });
  response.end(
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
      '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
  );
}
