import type { Values } from './settings.ts';

/** Where events go, and how. */
export interface EventsConfig {
  readonly outbox: OutboxConfig;
}

export interface OutboxConfig {
  readonly deliveryTimeoutMs: number;
  /** Repositories at the same time, of each sink. */
  readonly concurrency: number;
  readonly parkAfterMs: number;
  readonly keepParkedMs: number;
}

export function toEventsConfig(values: Values): EventsConfig {
  return {
    outbox: {
      deliveryTimeoutMs: values.OUTBOX_DELIVERY_TIMEOUT * 1000,
      concurrency: values.OUTBOX_CONCURRENCY,
      parkAfterMs: values.OUTBOX_PARK_AFTER * 1000,
      keepParkedMs: values.OUTBOX_KEEP_PARKED_HOURS * 3_600_000,
    },
  };
}
