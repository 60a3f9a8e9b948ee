import type { EventsConfig } from './config-events.ts';
import { Outbox } from './events/outbox.ts';
import type { SinkRouting } from './events/routing.ts';
import type { Sink } from './events/sink.ts';
import type { Health } from './http/health.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import type { Metrics } from './metrics.ts';
import { openSinks } from './open-sinks.ts';
import { StartError } from './start-up.ts';

export interface OutboxContext {
  readonly metadata: MetadataStore;
  /** Gets to know the sinks. */
  readonly routing: SinkRouting;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Starts the delivery of events to the sinks that the configuration names, or to these.
 * @throws StartError, WebhooksFileError
 */
export async function openOutbox(
  config: EventsConfig,
  { metadata, routing, health, metrics, log }: OutboxContext,
  replacement: readonly Sink[] | undefined,
): Promise<Outbox> {
  const sinks = replacement ?? (await openSinks(config, { metadata, log }));
  checkNames(sinks.map(({ name }) => name));
  // A sink isn't a reason to stop serving: it is shown, and no more.
  for (const { name } of sinks) health.expect(`sink ${name}`);
  const outbox = new Outbox({
    sinks,
    records: metadata.outbox,
    locks: metadata.locks,
    settings: config.outbox,
    metrics,
    log,
    saw: (sink, isDelivering, reason) => health.saw(`sink ${sink}`, isDelivering, reason),
  });
  routing.open(sinks, (repository) => outbox.wake(repository));
  outbox.start();
  return outbox;
}

/** What waits for a sink is kept under its name. */
function checkNames(names: readonly string[]): void {
  const double = names.find((name, index) => names.indexOf(name) !== index);
  if (double !== undefined) throw new StartError(`two sinks are called ${double}: rename one`);
}
