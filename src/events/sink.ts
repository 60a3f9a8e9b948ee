import type { RegistryEvent } from '../oci/registry-event.ts';

/** Where events are delivered to. The outbox calls it; retries, order and time-outs are the outbox's. */
export interface Sink {
  /** Unique among the sinks, and the same after a restart and on each instance: deliveries are kept under it. */
  readonly name: string;
  /** What it is, for operators: one line without secrets. */
  readonly description: string;
  /** Whether it is to get the event; what it says no to is never written to the outbox for it. */
  accepts(event: Pick<RegistryEvent, 'kind' | 'repository'>): boolean;
  /**
   * Delivers one event. Events of one repository come one after the other, in their order; those of several at the
   * same time. What was delivered may come again after a crash, with the same id.
   * @throws DeliveryError; whatever else it throws counts as one that may be tried again
   */
  deliver(event: RegistryEvent, signal: AbortSignal): Promise<void>;
  /** Ends its connections. */
  close(): void;
}

/** A delivery that failed: a sentence without secrets, for the log and for operators. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** The least time until the next attempt, in ms, where the receiver told one (Retry-After). */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { retryAfterMs?: number | undefined } = {}) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs;
  }
}
