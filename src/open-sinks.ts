import type { EventsConfig } from './config-events.ts';
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
  _config: EventsConfig,
  _context: SinksContext,
): Promise<readonly Sink[]> {
  return [];
}
