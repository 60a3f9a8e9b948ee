import type { MessagePort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from './protocol.ts';

/** The worker's end of an append's port: messages in order, asked for one at a time. */
export class Inbox {
  readonly #port: MessagePort;
  readonly #messages: ToWorker[] = [];
  #wake: ((message: ToWorker) => void) | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: ToWorker) => this.#receive(message));
    // The HTTP thread's end is gone: there is nobody to store for.
    port.on('close', () => this.#receive({ kind: 'cancel' }));
  }

  next(): Promise<ToWorker> {
    const message = this.#messages.shift();
    if (message) return Promise.resolve(message);
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  send(message: FromWorker): void {
    this.#port.postMessage(message, message.kind === 'spent' ? [message.buffer] : []);
  }

  #receive(message: ToWorker): void {
    const wake = this.#wake;
    this.#wake = undefined;
    if (wake) wake(message);
    else this.#messages.push(message);
  }
}
