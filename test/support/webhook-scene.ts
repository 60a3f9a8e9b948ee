import { expect } from 'vitest';
import { DeliveryError } from '../../src/events/sink.ts';
import { type Webhook, WebhookSink } from '../../src/events/webhook-sink.ts';
import { registryEvent } from './registry-events.ts';
import { leaksOf } from './secrecy.ts';

export const EVENT = registryEvent();
export const KEY = Buffer.alloc(32, 7);
export const PATH = '/hooks/s3cret-path?token=s3cret-token';
/** Of a delivery that nobody gives up. */
export const NEVER = new AbortController().signal;

/** Sinks of one test. */
export class WebhookSinks {
  readonly #sinks: WebhookSink[] = [];

  /** A sink whose receiver is at this URL; changed as told. */
  to(url: string, changes: Partial<Webhook> = {}, concurrency = 8): WebhookSink {
    const webhook: Webhook = {
      name: 'deploy',
      url: new URL(`${url}${PATH}`),
      format: 'cloudevents',
      teams: undefined,
      kinds: new Set(['created', 'replaced']),
      keys: [KEY],
      headers: { authorization: 'Bearer s3cret-header' },
      timeoutMs: 20_000,
      ca: undefined,
      ...changes,
    };
    const sink = new WebhookSink(webhook, { externalUrl: 'https://r.example.org', concurrency });
    this.#sinks.push(sink);
    return sink;
  }

  close(): void {
    for (const sink of this.#sinks.splice(0)) sink.close();
  }
}

/** How a delivery fails, without a word of what is secret. */
export async function failureOf(sink: WebhookSink, signal = NEVER): Promise<DeliveryError> {
  const error: unknown = await sink.deliver(EVENT, signal).then(
    () => new Error('it was delivered'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof DeliveryError)) throw error;
  for (const secret of ['s3cret', KEY.toString('base64')]) {
    expect(leaksOf(secret, error)).toEqual([]);
  }
  return error;
}
