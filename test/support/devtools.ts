import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';

/** What a page reports of itself by itself. */
export interface DevToolsEvent {
  readonly method: string;
  readonly params: unknown;
  readonly sessionId: string | undefined;
}

const messageSchema = z.object({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.object({ message: z.string() }).optional(),
  method: z.string().optional(),
  params: z.unknown().optional(),
  sessionId: z.string().optional(),
});

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The Chrome DevTools Protocol over a pair of pipes: messages in JSON, each ended by a NUL. */
export class DevTools {
  readonly #input: Writable;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: DevToolsEvent) => void>();
  #lastId = 0;
  #rest = '';
  #isClosed = false;

  /** @param input what the browser reads from. @param output what it writes to */
  constructor(input: Writable, output: Readable) {
    this.#input = input;
    input.on('error', () => this.#close());
    output.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    output.on('close', () => this.#close());
  }

  /** @param sessionId of the page that it is for; undefined: the browser. @throws Error that the browser answers */
  send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error(`${method}: the browser is gone`));
    this.#lastId += 1;
    const id = this.#lastId;
    this.#input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        resolve,
        reject: (error) => reject(new Error(`${method}: ${error.message}`, { cause: error })),
      });
    });
  }

  listen(listener: (event: DevToolsEvent) => void): void {
    this.#listeners.add(listener);
  }

  #take(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    try {
      for (const message of messages) this.#handle(messageSchema.parse(JSON.parse(message)));
    } catch (error) {
      this.#close(error);
    }
  }

  #handle({ id, result, error, method, params, sessionId }: z.infer<typeof messageSchema>): void {
    if (method !== undefined) {
      for (const listener of this.#listeners) listener({ method, params, sessionId });
    }
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }

  #close(cause?: unknown): void {
    this.#isClosed = true;
    const error = new Error('the browser is gone, or not understood', { cause });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
