import type { HttpResponse } from 'uWebSockets.js';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BodyEnd } from '../oci/byte-source.ts';
import { DroppedRest } from './dropped-rest.ts';
import type { RequestBody } from './exchange.ts';
import { Pace, type PaceRule } from './pace.ts';
import { readAll } from './read-all.ts';

/** A request body out of uWebSockets.js. Made in the request's callback: a body that nobody listens to is lost. */
export class UwsBody implements RequestBody {
  readonly announcedBytes: number | undefined;
  readonly #response: HttpResponse;
  /** What came before someone asked; one read of the socket at most, since the socket is paused until then. */
  readonly #early: Uint8Array[] = [];
  #sink: ((chunk: Uint8Array) => void) | undefined;
  readonly #ended: Promise<BodyEnd>;
  #tellEnd: (end: BodyEnd) => void = () => {};
  #end: BodyEnd | undefined;
  #isPaused = true;
  #isDropped = false;
  readonly #dropped = new DroppedRest();
  /** Of its sender. */
  readonly pace: Pace;

  constructor(response: HttpResponse, announcedBytes: number | undefined, rule: PaceRule) {
    this.announcedBytes = announcedBytes;
    this.pace = new Pace(rule);
    this.#response = response;
    this.#ended = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
    response.onData((chunk, isLast) => this.#receive(new Uint8Array(chunk), isLast));
    response.pause();
  }

  /** No more of it comes. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  deliverTo(sink: (chunk: Uint8Array) => void): Promise<BodyEnd> {
    this.#sink = sink;
    this.resume();
    for (const chunk of this.#early.splice(0)) sink(chunk);
    return this.#ended;
  }

  async takeWhole(maxBytes: number): Promise<Uint8Array | undefined> {
    // What was read with the head comes after the callback that brought the head.
    if (!this.#end) await nextTurn();
    if (this.#end !== 'complete' || this.#isDropped) return undefined;
    const bytes = this.#early.reduce((sum, { length }) => sum + length, 0);
    if (bytes === 0 || bytes > maxBytes) return undefined;
    return Buffer.concat(this.#early.splice(0));
  }

  readAll(maxBytes: number): Promise<Uint8Array | 'too-large' | 'cut'> {
    return readAll(this, maxBytes);
  }

  pause(): void {
    // After the answer the response object must not be touched any more.
    if (this.#isPaused || this.#isDropped || this.#end) return;
    this.#isPaused = true;
    this.pace.stop(Date.now());
    this.#response.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#end === 'cut') return;
    this.#isPaused = false;
    if (!this.#end) this.pace.wait(Date.now());
    this.#response.resume();
  }

  /** The connection is gone. */
  cut(): void {
    this.#finish('cut');
  }

  /**
   * Nobody wants the rest: it is read and dropped, since a connection that is closed with unread bytes takes
   * the answer with it.
   */
  drop(): void {
    this.#isDropped = true;
    this.#sink = undefined;
    this.#early.length = 0;
    this.resume();
  }

  /** Resolves when no more of it comes, or enough was dropped for the connection to be closed. Call it after `drop`. */
  dropped(): Promise<void> {
    return this.#dropped.enough();
  }

  #receive(chunk: Uint8Array, isLast: boolean): void {
    this.pace.moved(Date.now(), chunk.length);
    if (chunk.length > 0) this.#pass(chunk);
    if (isLast) this.#finish('complete');
    // uWebSockets.js sets its time-out anew for what it had read already, although the body is paused.
    else if (this.#isPaused && !this.#isDropped) this.#response.pause();
  }

  #pass(chunk: Uint8Array): void {
    if (this.#isDropped) this.#dropped.count(chunk.length);
    else if (this.#sink) this.#sink(chunk);
    else this.#early.push(chunk.slice());
  }

  #finish(end: BodyEnd): void {
    this.#end ??= end;
    this.pace.stop(Date.now());
    // The connection's next request must be read, whether somebody asked for this body or not.
    this.resume();
    this.#tellEnd(this.#end);
    this.#dropped.end();
  }
}
