import { setTimeout as delay } from 'node:timers/promises';
import { errorCodeOf, type HttpAnswer, HttpClient, type HttpOptions } from './http-client.ts';

/** Nobody may be kept waiting for longer, whatever is broken, unless a test says otherwise. */
const ANSWER_TIMEOUT_MS = 60_000;
const PIECE_PAUSE_MS = 20;
/** As docker and others do, which keep their connections. */
const KEEP = { Connection: 'keep-alive' };

/** Sends requests, and writes down every answer that isn't one of the expected ones or a proper 503. */
export class StrictClient {
  readonly violations: string[] = [];
  /** Proper ones: UNAVAILABLE, with Retry-After. */
  unavailable = 0;
  readonly #client: HttpClient;
  readonly #answerTimeoutMs: number;

  constructor(url: string, answerTimeoutMs = ANSWER_TIMEOUT_MS) {
    this.#client = new HttpClient(url);
    this.#answerTimeoutMs = answerTimeoutMs;
  }

  /** @returns undefined for a 503, and for what is a violation */
  send(
    method: string,
    path: string,
    expected: number,
    options: HttpOptions = {},
  ): Promise<HttpAnswer | undefined> {
    const headers = { ...KEEP, ...options.headers };
    const request = this.#client.send(method, path, { ...options, headers });
    return this.#check(`${method} ${path}`, expected, request);
  }

  /** The body in pieces with pauses, until there is an answer; chunked without a Content-Length. */
  sendSlowly(
    method: string,
    path: string,
    expected: number,
    pieces: Iterable<Uint8Array>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<HttpAnswer | undefined> {
    const request = this.#client.open(method, path, { ...KEEP, ...headers });
    const patience = new Patience(this.#answerTimeoutMs);
    let isAnswered = false;
    const answer = request.answer.finally(() => {
      isAnswered = true;
    });
    const write = async () => {
      for (const piece of pieces) {
        if (isAnswered) return request.cut();
        await Promise.race([request.write(piece), answer]);
        patience.beginAgain();
        await delay(PIECE_PAUSE_MS);
      }
      request.end();
    };
    // What goes wrong while writing is told by the answer, or by its absence.
    write().catch(() => undefined);
    return this.#check(`${method} ${path}`, expected, answer, patience);
  }

  /** @returns the offset of an upload; `closed` when it isn't open (any more); undefined as `send` does */
  async statusOf(path: string): Promise<number | 'closed' | undefined> {
    const request = this.#client.send('GET', path);
    const { status } = await request.catch(() => ({ status: 0 }));
    if (status === 404) return 'closed';
    const answer = await this.#check(`GET ${path}`, 204, request);
    if (!answer) return undefined;
    const last = Number(/^0-(\d+)$/.exec(answer.headers['range'] ?? '')?.[1]);
    // "0-0" is told of an empty upload, too.
    return last === 0 ? 0 : last + 1;
  }

  async #check(
    what: string,
    expected: number,
    request: Promise<HttpAnswer>,
    patience = new Patience(this.#answerTimeoutMs),
  ): Promise<HttpAnswer | undefined> {
    const answer = await patience.with(request).catch((error: unknown) => {
      this.violations.push(`${what}: no answer (${String(error)})`);
    });
    if (!answer) return undefined;
    if (answer.status === expected) return answer;
    if (isProper503(answer)) this.unavailable += 1;
    else this.violations.push(`${what}: ${answer.status} ${answer.body.toString().slice(0, 500)}`);
    return undefined;
  }
}

/** What a client waits for an answer; it begins again with each piece of its body that is taken. */
class Patience {
  readonly #over: Promise<never>;
  readonly #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(timeoutMs: number) {
    let giveUp = () => {};
    this.#over = new Promise((_, reject) => {
      giveUp = () => reject(new Error(`nothing came for longer than ${timeoutMs} ms`));
    });
    this.#over.catch(() => undefined);
    this.#timer = setTimeout(() => giveUp(), timeoutMs);
  }

  beginAgain(): void {
    if (!this.#isOver) this.#timer.refresh();
  }

  async with<T>(request: Promise<T>): Promise<T> {
    try {
      return await Promise.race([request, this.#over]);
    } finally {
      this.#isOver = true;
      clearTimeout(this.#timer);
    }
  }
}

function isProper503(answer: HttpAnswer): boolean {
  if (answer.status !== 503 || !/^\d+$/.test(answer.headers['retry-after'] ?? '')) return false;
  try {
    return errorCodeOf(answer) === 'UNAVAILABLE';
  } catch {
    return false;
  }
}
