import type {
  Exchange,
  Handler,
  RequestBody,
  Transport,
  TransportOptions,
} from '../../src/http/exchange.ts';
import { Proxies } from '../../src/http/proxies.ts';
import type { BodyEnd } from '../../src/oci/byte-source.ts';
import { RawClient } from './raw-http.ts';

export type Listen = (options: TransportOptions, handler: Handler) => Promise<Transport>;

/** On a free port, for patient tests. */
export const OPTIONS: TransportOptions = {
  host: '127.0.0.1',
  port: 0,
  pace: { minBytesPerSecond: 1, idleTimeoutMs: 60_000 },
  proxies: new Proxies([]),
};

/** A transport on a free port whose exchanges the test answers itself, one after the other. */
export class Served {
  readonly transport: Transport;
  readonly #exchanges: Exchange[];
  readonly #waiting: ((exchange: Exchange) => void)[];
  readonly #clients: RawClient[] = [];
  readonly #isTls: boolean;

  private constructor(
    transport: Transport,
    exchanges: Exchange[],
    waiting: ((exchange: Exchange) => void)[],
    isTls: boolean,
  ) {
    this.transport = transport;
    this.#isTls = isTls;
    this.#exchanges = exchanges;
    this.#waiting = waiting;
  }

  static async start(listen: Listen, changed: Partial<TransportOptions> = {}): Promise<Served> {
    const exchanges: Exchange[] = [];
    const waiting: ((exchange: Exchange) => void)[] = [];
    const transport = await listen({ ...OPTIONS, ...changed }, (exchange) => {
      const wake = waiting.shift();
      if (wake) wake(exchange);
      else exchanges.push(exchange);
      return Promise.resolve();
    });
    return new Served(transport, exchanges, waiting, changed.tls !== undefined);
  }

  async connect(): Promise<RawClient> {
    const { port } = this.transport;
    const client = await (this.#isTls ? RawClient.openTls(port) : RawClient.open(port));
    this.#clients.push(client);
    return client;
  }

  /** The next request that came. */
  next(): Promise<Exchange> {
    const exchange = this.#exchanges.shift();
    if (exchange) return Promise.resolve(exchange);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.transport.stopAccepting();
    this.transport.close();
    await this.transport.idle();
  }
}

export function bodyOf(exchange: Exchange): RequestBody {
  if (!exchange.body) throw new Error(`${exchange.method} ${exchange.path} has no body`);
  return exchange.body;
}

/** A plain answer. */
export function text(body: string, status = 200) {
  return { status, headers: { 'Content-Type': 'text/plain' }, body };
}

/** Takes a body and keeps copies of its chunks. */
export async function collect(body: RequestBody): Promise<{ end: BodyEnd; bytes: Buffer }> {
  const chunks: Buffer[] = [];
  const end = await body.deliverTo((chunk) => chunks.push(Buffer.from(chunk)));
  return { end, bytes: Buffer.concat(chunks) };
}

/** A promise of which can be told, at any time, whether it has been kept. */
export interface Watched<T> {
  readonly promise: Promise<T>;
  readonly isSettled: boolean;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  let isSettled = false;
  const settled = promise.finally(() => {
    isSettled = true;
  });
  return {
    promise: settled,
    get isSettled() {
      return isSettled;
    },
  };
}
