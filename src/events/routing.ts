import type { EventRouting } from '../meta/records/outbox-records.ts';
import type { RegistryEvent } from '../oci/registry-event.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { Sink } from './sink.ts';

/** Stands between who writes events and the sinks, which are opened later: sinks may need what writes events. */
export class SinkRouting implements EventRouting {
  #sinks: readonly Sink[] = [];
  #onCommitted: (repository: RepositoryName | undefined) => void = () => undefined;

  /** @param onCommitted told of what was written */
  open(
    sinks: readonly Sink[],
    onCommitted: (repository: RepositoryName | undefined) => void,
  ): void {
    this.#sinks = sinks;
    this.#onCommitted = onCommitted;
  }

  sinksFor(event: Pick<RegistryEvent, 'kind' | 'repository'>): readonly string[] {
    return this.#sinks.filter((sink) => sink.accepts(event)).map(({ name }) => name);
  }

  committed(repository: RepositoryName | undefined): void {
    this.#onCommitted(repository);
  }
}
