interface Waiting<T> {
  readonly running: Promise<unknown>;
  next: Promise<T> | undefined;
}

/**
 * Lets callers that ask the same thing at the same time share one query. A caller never gets the answer of a query
 * that began before it asked, so nothing is stale; and at most one query a key runs while another one waits, so the
 * load is bounded whatever the number of callers.
 */
export class SharedQuery<T> {
  readonly #queries = new Map<string, Waiting<T>>();

  ask(key: string, query: () => Promise<T>): Promise<T> {
    const waiting = this.#queries.get(key);
    if (!waiting) return this.#start(key, query);
    waiting.next ??= waiting.running.then(
      () => this.#start(key, query),
      () => this.#start(key, query),
    );
    return waiting.next;
  }

  #start(key: string, query: () => Promise<T>): Promise<T> {
    const running = query();
    const waiting: Waiting<T> = { running, next: undefined };
    this.#queries.set(key, waiting);
    const end = () => {
      if (!waiting.next) this.#queries.delete(key);
    };
    running.then(end, end);
    return running;
  }
}
