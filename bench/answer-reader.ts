/** What a server answered. */
export interface Answer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bodyBytes: number;
  /** The body's first bytes, for error messages. */
  readonly excerpt: string;
}

/** Gets the body's bytes. They are overwritten after the call: copy what must stay. */
export type Sink = (bytes: Buffer) => void;

const HEADER_LIMIT_BYTES = 64 * 1024;
const EXCERPT_BYTES = 1000;
const BLANK_LINE = '\r\n\r\n';

/** Reads one HTTP/1.1 answer; bodies need a Content-Length, as every registry sends it. */
export class AnswerReader {
  readonly #isHead: boolean;
  readonly #sink: Sink;
  #start = Buffer.alloc(0);
  #status = 0;
  #headers: ReadonlyMap<string, string> | undefined;
  #length = 0;
  #bodyBytes = 0;
  #excerpt = '';

  /** @param isHead the request's method is HEAD: a Content-Length announces no body. */
  constructor(isHead: boolean, sink: Sink) {
    this.#isHead = isHead;
    this.#sink = sink;
  }

  /** @returns the answer once its last byte was fed. */
  feed(bytes: Buffer): Answer | undefined {
    const body = this.#headers ? bytes : this.#feedHead(bytes);
    if (!this.#headers || !body) return undefined;
    if (body.length > 0) this.#feedBody(body);
    if (this.#bodyBytes < this.#length) return undefined;
    return {
      status: this.#status,
      headers: this.#headers,
      bodyBytes: this.#bodyBytes,
      excerpt: this.#excerpt,
    };
  }

  /** @returns the bytes behind the blank line, once it is there. */
  #feedHead(bytes: Buffer): Buffer | undefined {
    this.#start = Buffer.concat([this.#start, bytes]);
    const end = this.#start.indexOf(BLANK_LINE);
    if (end < 0) {
      if (this.#start.length > HEADER_LIMIT_BYTES)
        throw new Error('the answer has no end of headers');
      return undefined;
    }
    const [statusLine = '', ...lines] = this.#start.toString('latin1', 0, end).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3})\b/.exec(statusLine)?.[1];
    if (!status) throw new Error(`not an HTTP/1.1 answer: ${statusLine.slice(0, 80)}`);
    this.#status = Number(status);
    this.#headers = new Map(lines.map(parseHeader));
    this.#length = this.#expectedLength(this.#headers);
    return this.#start.subarray(end + BLANK_LINE.length);
  }

  #feedBody(bytes: Buffer): void {
    this.#bodyBytes += bytes.length;
    if (this.#bodyBytes > this.#length)
      throw new Error('the answer is longer than its Content-Length');
    if (this.#excerpt.length < EXCERPT_BYTES) {
      this.#excerpt += bytes.toString('latin1', 0, EXCERPT_BYTES - this.#excerpt.length);
    }
    this.#sink(bytes);
  }

  #expectedLength(headers: ReadonlyMap<string, string>): number {
    if (this.#isHead || this.#status === 204) return 0;
    const length = headers.get('content-length');
    if (!length || !/^\d+$/.test(length)) throw new Error('an answer without Content-Length');
    return Number(length);
  }
}

function parseHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}
