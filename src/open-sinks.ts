import type { EventsConfig } from './config-events.ts';
import type { AuditConfig, SnsConfig } from './config-sinks.ts';
import { AuditSink } from './events/audit-sink.ts';
import { TimelyEventSources } from './events/event-source.ts';
import { ServiceToken } from './events/service-token.ts';
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
  context: SinksContext,
): Promise<readonly Sink[]> {
  // First: a bad file throws before anything is open.
  const webhooks = await openWebhooks(config, context.log);
  const { sns, audit } = config;
  return [
    ...webhooks,
    ...(sns ? [await openSns(sns)] : []),
    ...(audit ? [openAudit(audit, context)] : []),
  ];
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

/** The SDK is loaded only where it is used. */
async function openSns(config: SnsConfig): Promise<Sink> {
  const { SnsSink } = await import('./events/sns-sink.ts');
  return new SnsSink(config);
}

function openAudit(config: AuditConfig, { metadata, log }: SinksContext): Sink {
  const { url, registry, tokenUrl, credentialsDirectory: directory } = config;
  const token = new ServiceToken({ url: tokenUrl, directory });
  // Who grants it may come up later than the registry; an operator sees a mistake before the first push all the same.
  token.get().catch((error: unknown) => {
    log.warn({ err: error }, 'there is no token for HTTPLOGGER_API_URL yet; each event asks again');
  });
  const sources = new TimelyEventSources(metadata.scmSources);
  return new AuditSink({ url, registry, token, sources });
}
