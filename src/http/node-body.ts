import type { IncomingMessage } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BodyEnd } from '../oci/byte-source.ts';
import { DroppedRest } from './dropped-rest.ts';
import type { RequestBody } from './exchange.ts';
import { Pace, type PaceRule } from './pace.ts';
import { readAll } from './read-all.ts';

/** A request body out of node:http. It stands still until someone asks for it. */
export class NodeBody implements RequestBody {
  readonly announcedBytes: number | undefined;
  /** Of its sender. */
  readonly pace: Pace;
  /** Resolves when no more of it comes, whether somebody took it or it was dropped. */
  readonly ended: Promise<BodyEnd>;
  readonly #request: IncomingMessage;
  readonly #socket: IncomingMessage['socket'];
  /** What a sender that has gone had sent, and nobody has asked for yet. */
  #left: Uint8Array | undefined;
  #sink: ((chunk: Uint8Array) => void) | undefined;
  #tellEnd: (end: BodyEnd) => void = () => {};
  #end: BodyEnd | undefined;
  #isPaused = true;
  #isDropped = false;
  readonly #dropped = new DroppedRest();

  constructor(request: IncomingMessage, announcedBytes: number | undefined, rule: PaceRule) {
    this.announcedBytes = announcedBytes;
    this.pace = new Pace(rule);
    this.#request = request;
    this.#socket = request.socket;
    this.ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
    request.pause();
    request.on('data', this.#receive);
    request.once('end', () => this.#finish('complete'));
    // After the answer node:http doesn't tell the request any more that its connection is gone.
    this.#socket.once('close', this.#onClose);
  }

  /** No more of it comes. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  deliverTo(sink: (chunk: Uint8Array) => void): Promise<BodyEnd> {
    this.#sink = sink;
    if (this.#left && !this.#isDropped) sink(this.#left);
    this.#left = undefined;
    this.resume();
    return this.ended;
  }

  async takeWhole(maxBytes: number): Promise<Uint8Array | undefined> {
    // What was read with the head is parsed after it was told.
    await nextTurn();
    const { complete, readableLength } = this.#request;
    if (!complete || this.#end || this.#isDropped) return undefined;
    if (readableLength === 0 || readableLength > maxBytes) return undefined;
    const chunks: Uint8Array[] = [];
    await this.deliverTo((chunk) => chunks.push(chunk));
    return Buffer.concat(chunks);
  }

  readAll(maxBytes: number): Promise<Uint8Array | 'too-large' | 'cut'> {
    return readAll(this, maxBytes);
  }

  pause(): void {
    if (this.#isPaused || this.#isDropped || this.#end) return;
    this.#isPaused = true;
    this.pace.stop(Date.now());
    this.#request.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#end) return;
    this.#isPaused = false;
    this.pace.wait(Date.now());
    this.#request.resume();
  }

  /**
   * Nobody wants the rest: it is read and dropped, since a connection that is closed with unread bytes takes
   * the answer with it.
   */
  drop(): void {
    this.#isDropped = true;
    this.#sink = undefined;
    this.#left = undefined;
    this.resume();
  }

  /** Resolves when no more of it comes, or enough was dropped for the connection to be closed. Call it after `drop`. */
  dropped(): Promise<void> {
    return this.#dropped.enough();
  }

  readonly #receive = (chunk: Uint8Array): void => {
    this.pace.moved(Date.now(), chunk.length);
    if (this.#isDropped) this.#dropped.count(chunk.length);
    else this.#sink?.(chunk);
  };

  readonly #onClose = (): void => {
    // The stream was destroyed with the connection; what it had read still counts. It may be told of it, or not.
    this.#request.off('data', this.#receive);
    const left: unknown = this.#request.read();
    if (left instanceof Uint8Array && !this.#isDropped) {
      if (this.#sink) this.#sink(left);
      else this.#left = left;
    }
    this.#finish(this.#request.complete ? 'complete' : 'cut');
  };

  #finish(end: BodyEnd): void {
    this.#end ??= end;
    this.#socket.off('close', this.#onClose);
    this.pace.stop(Date.now());
    this.#tellEnd(this.#end);
    this.#dropped.end();
  }
}
