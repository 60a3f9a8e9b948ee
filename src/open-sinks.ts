import type { EventsConfig } from './config-events.ts';
import type { AuditConfig, SnsConfig } from './config-sinks.ts';
import { AuditSink } from './events/audit-sink.ts';
import { TimelyEventSources } from './events/event-source.ts';
import { ServiceToken } from './events/service-token.ts';
import type { Sink } from './events/sink.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';

export interface SinksContext {
  readonly metadata: MetadataStore;
  readonly log: Log;
}

/**
 * The sinks that the configuration names; whoever opened them closes them.
 * @throws an error for operators when what the configuration names can't be used
 */
export async function openSinks(
  { sns, audit }: EventsConfig,
  context: SinksContext,
): Promise<readonly Sink[]> {
  return [...(sns ? [await openSns(sns)] : []), ...(audit ? [openAudit(audit, context)] : [])];
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
