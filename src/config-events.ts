import { resolve } from 'node:path';
import { type AuditConfig, type SnsConfig, toAuditConfig, toSnsConfig } from './config-sinks.ts';
import type { Values } from './settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where events go, and how. */
export interface EventsConfig {
  readonly outbox: OutboxConfig;
  /** Undefined: nothing is published. */
  readonly sns: SnsConfig | undefined;
  /** Undefined: there is no audit service. */
  readonly audit: AuditConfig | undefined;
  readonly webhooks: WebhooksConfig | undefined;
}

export interface WebhooksConfig {
  readonly file: string;
  /** Those that the file may name: they begin with WEBHOOK_. */
  readonly variables: Environment;
  /** The registry's origin, where it is known. */
  readonly externalUrl: string | undefined;
}

export interface OutboxConfig {
  readonly deliveryTimeoutMs: number;
  /** Repositories at the same time, of each sink. */
  readonly concurrency: number;
  readonly parkAfterMs: number;
  readonly keepParkedMs: number;
}

export function toEventsConfig(values: Values, environment: Environment): EventsConfig {
  return {
    outbox: {
      deliveryTimeoutMs: values.OUTBOX_DELIVERY_TIMEOUT * 1000,
      concurrency: values.OUTBOX_CONCURRENCY,
      parkAfterMs: values.OUTBOX_PARK_AFTER * 1000,
      keepParkedMs: values.OUTBOX_KEEP_PARKED_HOURS * 3_600_000,
    },
    sns: toSnsConfig(values),
    audit: toAuditConfig(values),
    webhooks: webhooksOf(values, environment),
  };
}

function webhooksOf(values: Values, environment: Environment): WebhooksConfig | undefined {
  const { WEBHOOKS_FILE: file, HTTP_EXTERNAL_URL: url } = values;
  if (file === undefined) return undefined;
  const variables = Object.entries(environment).filter(([name]) => name.startsWith('WEBHOOK_'));
  return {
    file: resolve(file),
    variables: Object.fromEntries(variables),
    externalUrl: url && new URL(url).origin,
  };
}
