import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { JsonValue } from './json.ts';
import { waitUntil } from './wait-until.ts';

/** An event as the receiver got it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly kind: string;
  readonly repository: string;
  readonly tag: string;
  /** The event as it came. */
  readonly body: JsonValue;
}

/** How the receiver answers an event: with a status, after a while; `hang`: not at all, `cut`: by hanging up. */
export type Answering = (
  event: ReceivedEvent,
) => number | 'hang' | 'cut' | Promise<number | 'hang' | 'cut'>;

/** An HTTP server that takes events. */
export interface EventReceiver {
  readonly url: string;
  /** Those that it answered with 200, in their order, doubles too. */
  readonly taken: readonly ReceivedEvent[];
  /** All that came. */
  readonly seen: readonly ReceivedEvent[];
  /** Most events of one repository, and of all, that were open at the same time. */
  readonly most: { readonly ofRepository: number; readonly ofAll: number };
  answer: Answering;
  /** Tags of what it took, in their order. */
  tagsOf(repository: string): string[];
  /** Waits until it took so many different events. */
  took(count: number): Promise<void>;
  /** Forgets what came, and takes everything. */
  reset(): void;
  /** Refuses connections. */
  goDown(): Promise<void>;
  /** At the same address. */
  comeUp(): Promise<void>;
  close(): Promise<void>;
}

export const TAKES: Answering = () => 200;

export function takesAfter(ms: number): Answering {
  return async () => {
    await delay(ms);
    return 200;
  };
}

export async function startReceiver(): Promise<EventReceiver> {
  const receiver = new Receiver();
  await receiver.comeUp();
  return receiver;
}

class Receiver implements EventReceiver {
  readonly taken: ReceivedEvent[] = [];
  readonly seen: ReceivedEvent[] = [];
  readonly most = { ofRepository: 0, ofAll: 0 };
  answer: Answering = TAKES;
  #server: Server | undefined;
  #port = 0;
  readonly #open: string[] = [];

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  tagsOf(repository: string): string[] {
    return this.taken.filter((event) => event.repository === repository).map(({ tag }) => tag);
  }

  async took(count: number): Promise<void> {
    const taken = () => new Set(this.taken.map(({ id }) => id)).size;
    await waitUntil(`${count} events at the receiver`, () => taken() >= count);
  }

  reset(): void {
    this.taken.splice(0);
    this.seen.splice(0);
    Object.assign(this.most, { ofRepository: 0, ofAll: 0 });
    this.answer = TAKES;
  }

  async comeUp(): Promise<void> {
    const server = createServer((request, response) => {
      // One that hung up.
      response.on('error', () => undefined);
      this.#receive(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (typeof address !== 'object' || !address) throw new Error('the receiver has no port');
    this.#port = address.port;
    this.#server = server;
  }

  async goDown(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  close(): Promise<void> {
    return this.goDown();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = JsonValue.parse(Buffer.concat(chunks).toString());
    const [id = '', kind = '', repository = '', tag = ''] = body.at('key').texts;
    const event = { id, kind, repository, tag, body };
    this.seen.push(event);
    this.#open.push(repository);
    const ofRepository = this.#open.filter((name) => name === repository).length;
    this.most.ofRepository = Math.max(this.most.ofRepository, ofRepository);
    this.most.ofAll = Math.max(this.most.ofAll, this.#open.length);
    try {
      const answer = await this.answer(event);
      if (answer === 'hang')
        return void (await new Promise((resolve) => request.socket.once('close', resolve)));
      // Whoever sent it learns of no answer any more, and sends it again.
      const isDown = this.#server === undefined;
      if (answer === 'cut' || isDown) return void request.socket.destroy();
      if (answer === 200) this.taken.push(event);
      response.writeHead(answer).end();
    } finally {
      this.#open.splice(this.#open.indexOf(repository), 1);
    }
  }
}
