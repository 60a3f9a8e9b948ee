import type { RegistryEvent } from '../../oci/registry-event.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';

/** Which sinks get what, asked by whoever writes events. */
export interface EventRouting {
  /** Names of sinks. For each of them the event is written to the outbox, in the transaction of what happened. */
  sinksFor(event: Pick<RegistryEvent, 'kind' | 'repository'>): readonly string[];
  /** What was written is committed. @param repository undefined: a refused login */
  committed(repository: RepositoryName | undefined): void;
}

export const NO_SINKS: EventRouting = { sinksFor: () => [], committed: () => undefined };

/** Held by the instance that delivers to a sink, as long as it runs. */
export function lockOf(sink: string): string {
  return `outbox ${sink}`;
}

/** Events that are delivered one after the other: those of a repository, or the refused logins. */
export type QueueName = string;
/** Of refused logins: no repository is called so. */
export const LOGINS_QUEUE = '-';

/** An event on its way to a sink. */
export interface OutboxEntry {
  readonly id: string;
  readonly event: RegistryEvent;
  /** Deliveries that failed. */
  readonly attempts: number;
  /** By the database's clock, when the question was asked. */
  readonly ageMs: number;
}

/** The beginning of a queue. */
export interface OutboxQueue {
  readonly name: QueueName;
  /** Until its first event is due. */
  readonly waitMs: number;
  /** In their order; none where the first one isn't due. */
  readonly entries: readonly OutboxEntry[];
}

/** How deliveries to a sink go. */
export interface SinkState {
  readonly sink: string;
  readonly pending: number;
  /** When the first pending event happened. */
  readonly oldest: Date | undefined;
  /** By the database's clock. */
  readonly oldestAgeMs: number;
  readonly parked: number;
  readonly lastSuccess: Date | undefined;
  readonly lastFailure: Date | undefined;
  readonly lastError: string | undefined;
}

/** An event whose delivery failed at least once. */
export interface FailedDelivery {
  readonly id: string;
  readonly sink: string;
  readonly event: RegistryEvent;
  readonly attempts: number;
  readonly error: string;
  readonly nextAttempt: Date | undefined;
  readonly parked: Date | undefined;
}

/** Times are how long ago it was: instances' clocks may differ, and the database's counts. */
export interface SinkReport {
  readonly successAgeMs?: number | undefined;
  readonly failureAgeMs?: number | undefined;
  readonly lastError?: string | undefined;
}

/** Events on their way to sinks, in the order in which they were committed. */
export interface OutboxRecords {
  /** Up to `limit` queues of the sink, by name, those behind `after`, with up to `depth` entries each. */
  scan(
    sink: string,
    after: QueueName | undefined,
    limit: number,
    depth: number,
  ): Promise<OutboxQueue[]>;
  /** Those of the queues that aren't empty. */
  read(sink: string, names: readonly QueueName[], depth: number): Promise<OutboxQueue[]>;
  /** They are delivered. */
  remove(ids: readonly string[]): Promise<void>;
  /** The delivery failed; the next attempt is due in so long. */
  postpone(id: string, error: string, forMs: number): Promise<void>;
  /** The delivery failed, and is tried no more. */
  park(id: string, error: string): Promise<void>;
  /** Parks up to `limit` events of a sink that happened so long ago. @returns how many */
  parkAged(sink: string, ageMs: number, error: string, limit: number): Promise<number>;
  /** All pending events of the sink are due. */
  retryNow(sink: string): Promise<void>;
  /** Removes up to `limit` events that were parked so long ago. @returns how many */
  removeParked(sink: string, keepMs: number, limit: number): Promise<number>;
  /** Names of all that has events, or ever reported. */
  sinks(): Promise<string[]>;
  /** Removes up to `limit` events that happened so long ago, parked or not. @returns how many */
  removeAged(sink: string, ageMs: number, limit: number): Promise<number>;
  /** Forgets how deliveries went, unless there are events. */
  forget(sink: string): Promise<void>;
  /** What is undefined stays as it is. */
  report(sink: string, report: SinkReport): Promise<void>;
  /** Of all sinks that ever reported, by name. */
  states(): Promise<SinkState[]>;
  /** Oldest first, those behind the id `after`. */
  listFailed(after: string | undefined, limit: number): Promise<FailedDelivery[]>;
}
