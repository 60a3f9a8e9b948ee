import { DeliveryError, type Sink } from '../../src/events/sink.ts';
import type { RegistryEvent } from '../../src/oci/registry-event.ts';

/** Sends each event to a URL, as event-receiver.ts takes it. */
export class HttpSink implements Sink {
  readonly name: string;
  readonly description: string;
  readonly #url: string;
  readonly #kinds: readonly RegistryEvent['kind'][] | undefined;

  /** @param kinds of events that it wants; undefined: all */
  constructor(name: string, url: string, kinds?: readonly RegistryEvent['kind'][]) {
    this.name = name;
    this.description = `events to ${url}`;
    this.#url = url;
    this.#kinds = kinds;
  }

  accepts({ kind }: Pick<RegistryEvent, 'kind'>): boolean {
    return this.#kinds?.includes(kind) ?? true;
  }

  async deliver(event: RegistryEvent, signal: AbortSignal): Promise<void> {
    const key = [event.id, event.kind, event.repository ?? '', event.tag ?? ''];
    const body = JSON.stringify({ key, event });
    const response = await fetch(this.#url, { method: 'POST', body, signal }).catch(
      (error: unknown) => {
        throw new DeliveryError('the receiver could not be reached', { cause: error });
      },
    );
    await response.arrayBuffer();
    if (response.ok) return;
    const retryAfter = response.headers.get('retry-after');
    throw new DeliveryError(`the receiver answered ${response.status}`, {
      retryAfterMs: retryAfter === null ? undefined : Number(retryAfter) * 1000,
    });
  }

  close(): void {}
}
