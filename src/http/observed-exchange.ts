import type { BodyEnd } from '../oci/byte-source.ts';
import type { TraceContext } from '../trace-context.ts';
import type { Answer, Exchange, RequestBody } from './exchange.ts';
import type { Route } from './routes.ts';

/** What a request turned out to be, for logs and metrics; whoever finds out writes it. */
export interface RequestNotes {
  readonly id: string;
  readonly trace: TraceContext | undefined;
  route: Route['kind'] | 'rest' | 'none';
  /** Of whoever makes it, where that is known. */
  uid: string | undefined;
  errorCode: string | undefined;
}

/** An exchange that sees what goes through it. */
export class ObservedExchange implements Exchange {
  readonly notes: RequestNotes;
  readonly body: RequestBody | undefined;
  /** Undefined while there is no answer. */
  status: number | undefined;
  sentBytes = 0;
  /** The answer was begun, and not sent as a whole. */
  isCut = false;
  readonly #exchange: Exchange;
  readonly #body: ObservedBody | undefined;
  readonly #echoedId: string | undefined;

  /** @param echoedId is told the client with its answer */
  constructor(exchange: Exchange, notes: RequestNotes, echoedId: string | undefined) {
    this.#exchange = exchange;
    this.notes = notes;
    this.#echoedId = echoedId;
    this.#body = exchange.body && new ObservedBody(exchange.body);
    this.body = this.#body;
  }

  get method(): string {
    return this.#exchange.method;
  }

  get path(): string {
    return this.#exchange.path;
  }

  get query(): string {
    return this.#exchange.query;
  }

  get remoteAddress(): string {
    return this.#exchange.remoteAddress;
  }

  get isOpen(): boolean {
    return this.#exchange.isOpen;
  }

  get signal(): AbortSignal {
    return this.#exchange.signal;
  }

  get receivedBytes(): number {
    return this.#body?.receivedBytes ?? 0;
  }

  header(name: string): string | undefined {
    return this.#exchange.header(name);
  }

  send(answer: Answer): void {
    if (!this.#exchange.isOpen) return;
    const { status, body } = answer;
    this.status = status;
    if (body !== undefined && this.method !== 'HEAD') {
      this.sentBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    }
    this.#exchange.send(this.#withId(answer));
  }

  async stream(
    answer: Answer,
    lengthBytes: number | undefined,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const { status: before } = this;
    const wasOpen = this.#exchange.isOpen;
    if (wasOpen) this.status = answer.status;
    try {
      this.sentBytes = await this.#exchange.stream(this.#withId(answer), lengthBytes, chunks);
      const isPart =
        lengthBytes === undefined ? this.#exchange.signal.aborted : this.sentBytes < lengthBytes;
      this.isCut = wasOpen && isPart;
    } catch (error) {
      // Nothing was begun, or the rest of it never comes.
      if (this.#exchange.isOpen) this.status = before;
      else this.isCut = wasOpen;
      throw error;
    }
    return this.sentBytes;
  }

  #withId(answer: Answer): Answer {
    if (this.#echoedId === undefined) return answer;
    // Not a fixed one: nothing of it is worth keeping.
    const { status, body } = answer;
    const headers = { ...answer.headers, 'X-Request-Id': this.#echoedId };
    return { status, headers, ...(body !== undefined && { body }) };
  }
}

/** Counts what is taken. */
class ObservedBody implements RequestBody {
  receivedBytes = 0;
  readonly #body: RequestBody;

  constructor(body: RequestBody) {
    this.#body = body;
  }

  get announcedBytes(): number | undefined {
    return this.#body.announcedBytes;
  }

  deliverTo(sink: (chunk: Uint8Array) => void): Promise<BodyEnd> {
    return this.#body.deliverTo((chunk) => {
      this.receivedBytes += chunk.length;
      sink(chunk);
    });
  }

  async takeWhole(maxBytes: number): Promise<Uint8Array | undefined> {
    const whole = await this.#body.takeWhole(maxBytes);
    if (whole) this.receivedBytes = whole.length;
    return whole;
  }

  async readAll(maxBytes: number): Promise<Uint8Array | 'too-large' | 'cut'> {
    const read = await this.#body.readAll(maxBytes);
    if (typeof read !== 'string') this.receivedBytes = read.length;
    return read;
  }

  pause(): void {
    this.#body.pause();
  }

  resume(): void {
    this.#body.resume();
  }
}
