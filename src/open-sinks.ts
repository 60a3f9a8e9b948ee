import type { EventsConfig } from './config-events.ts';
import type { Sink } from './events/sink.ts';
import { WebhookSink } from './events/webhook-sink.ts';
import { readWebhooksFile } from './events/webhooks-file.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';

export interface SinksContext {
  readonly metadata: MetadataStore;
  readonly log: Log;
}

/**
 * The sinks that the configuration names; whoever opened them closes them.
 * @throws WebhooksFileError, an error for operators, when what the configuration names can't be used
 */
export async function openSinks(
  config: EventsConfig,
  { log }: SinksContext,
): Promise<readonly Sink[]> {
  return await openWebhooks(config, log);
}

async function openWebhooks({ webhooks, outbox }: EventsConfig, log: Log): Promise<Sink[]> {
  if (webhooks === undefined) return [];
  const { file, variables, externalUrl } = webhooks;
  const described = await readWebhooksFile(file, variables);
  for (const { name, url } of described) {
    if (url.protocol === 'https:') continue;
    log.warn({ webhook: name }, 'a webhook has a URL without TLS: others may read what is sent');
  }
  return described.map(
    (webhook) => new WebhookSink(webhook, { externalUrl, concurrency: outbox.concurrency }),
  );
}
