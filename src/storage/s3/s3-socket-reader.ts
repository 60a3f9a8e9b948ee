import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { traceHeaders } from '../../trace-context.ts';
import { type AnswerHead, isPlainRange, keepsAlive, parseAnswerHead } from './s3-answer-head.ts';
import { ConnectionCut, HEAD_BUFFER, type Receiver, type S3Connection } from './s3-connection.ts';
import { S3Connections } from './s3-connections.ts';
import { timed } from './s3-observation.ts';
import { RangeBody } from './s3-range-body.ts';

/** It is used at once; clocks differ. */
const VALID_SECONDS = 900;

/** The bytes `start` (inclusive) to `end` (exclusive) of an object; one at least. */
export interface ObjectRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads ranges in plain HTTP without node:http, whose parser copies each piece into memory of its own: the collections
 * that it leads to cost more than the reading.
 */
export class S3SocketReader {
  readonly #client: S3Client;
  readonly #connections: S3Connections;

  constructor(client: S3Client, silenceMs: number) {
    this.#client = client;
    this.#connections = new S3Connections(silenceMs);
  }

  /**
   * @returns undefined when S3 answers with anything but the range: why, the SDK may find out
   * @throws what went wrong with the connection; what `signal` was aborted with
   */
  async open(
    object: { readonly Bucket: string; readonly Key: string },
    range: ObjectRange,
    signal: AbortSignal,
  ): Promise<RangeBody | undefined> {
    const command = new GetObjectCommand(object);
    const url = new URL(await getSignedUrl(this.#client, command, { expiresIn: VALID_SECONDS }));
    if (url.protocol !== 'http:' || this.#connections.areAllTaken) return undefined;
    const idle = this.#connections.takeIdle(url.host);
    if (!idle) return this.#ask(this.#connections.open(url), url, range, signal);
    try {
      return await this.#ask(idle, url, range, signal);
    } catch (error) {
      // S3 may have closed it just before the request.
      if (!(error instanceof ConnectionCut)) throw error;
      return this.#ask(this.#connections.open(url), url, range, signal);
    }
  }

  async #ask(
    connection: S3Connection,
    { pathname, search, host }: URL,
    range: ObjectRange,
    signal: AbortSignal,
  ): Promise<RangeBody | undefined> {
    const request = [
      `GET ${pathname}${search} HTTP/1.1`,
      `Host: ${host}`,
      `Range: bytes=${range.start}-${range.end - 1}`,
      'Accept-Encoding: identity',
      ...Object.entries(traceHeaders()).map(([name, value]) => `${name}: ${value}`),
    ];
    const giveUp = () => connection.end(new Error('given up'));
    signal.addEventListener('abort', giveUp);
    try {
      signal.throwIfAborted();
      const answer = new Promise<RangeBody | undefined>((resolve, reject) => {
        const head = new HeadReceiver({
          connection,
          range,
          resolve,
          reject,
          giveBack: () => this.#connections.giveBack(connection),
        });
        connection.send(`${request.join('\r\n')}\r\n\r\n`, head);
      });
      return await timed('GetObject', answer);
    } catch (error) {
      connection.end();
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }
}

interface Question {
  readonly connection: S3Connection;
  readonly range: ObjectRange;
  /** Undefined: what came isn't the range. */
  readonly resolve: (body: RangeBody | undefined) => void;
  readonly reject: (error: Error) => void;
  /** The connection may be used for another one. */
  readonly giveBack: () => void;
}

/** Waits for the head of an answer, and makes way for its body. */
class HeadReceiver implements Receiver {
  readonly target = HEAD_BUFFER;
  readonly #question: Question;
  #bytes = Buffer.alloc(0);

  constructor(question: Question) {
    this.#question = question;
  }

  receive(count: number): boolean {
    this.#bytes = Buffer.concat([this.#bytes, HEAD_BUFFER.subarray(0, count)]);
    const head = parseAnswerHead(this.#bytes);
    if (head === 'incomplete') return true;
    const body = head === 'malformed' ? undefined : this.#bodyAfter(head);
    this.#question.resolve(body);
    if (!body) this.#question.connection.end();
    return false;
  }

  fail(error: Error): void {
    this.#question.reject(error);
  }

  /** What comes next is for the body: before the connection asks where it shall read to. */
  #bodyAfter(head: AnswerHead): RangeBody | undefined {
    const { connection, range, giveBack } = this.#question;
    const first = this.#bytes.subarray(head.sizeBytes);
    const lengthBytes = range.end - range.start;
    if (!isPlainRange(head, range.start, range.end) || first.length > lengthBytes) return undefined;
    const onWhole = keepsAlive(head) ? giveBack : () => connection.end();
    return new RangeBody(connection, { first, lengthBytes }, onWhole);
  }
}
