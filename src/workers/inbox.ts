import type { MessagePort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './protocol.ts';

/** The worker's end of an append's port: messages in order, asked for one at a time. */
export class Inbox {
  readonly #port: MessagePort;
  readonly #messages: ToWorker[] = [];
  #waiting: { resolve(message: ToWorker): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ToWorker) => this.#receive(message));
    // The HTTP thread's end is gone: there is nobody to store for.
    port.on('close', () => this.#receive({ kind: 'cancel' }));
  }

  /** @throws what `fail` was called with, before any message that came */
  next(): Promise<ToWorker> {
    if (this.#error) return Promise.reject(this.#error);
    const message = this.#messages.shift();
    if (message) return Promise.resolve(message);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Who waits for a message, or asks for one, gets the error instead. */
  fail(error: Error): void {
    this.#error = error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  send(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  #receive(message: ToWorker): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(message);
    else this.#messages.push(message);
  }
}
