import { parseTag } from '../../oci/reference.ts';
import { REGISTRY_EVENT_KINDS, type RegistryEvent } from '../../oci/registry-event.ts';
import { parseRepositoryName } from '../../oci/repository-name.ts';
import {
  type FailedDelivery,
  LOGINS_QUEUE,
  type OutboxEntry,
  type OutboxQueue,
  type OutboxRecords,
  type QueueName,
  type SinkReport,
  type SinkState,
} from '../records/outbox-records.ts';
import type { Database, Statement } from './database.ts';
import {
  FORGET,
  LIST_FAILED,
  PARK,
  PARK_AGED,
  POSTPONE,
  READ,
  REMOVE,
  REMOVE_AGED,
  REMOVE_PARKED,
  REPORT,
  RETRY_NOW,
  SCAN,
  SINKS,
  STATES,
} from './outbox-statements.ts';
import { toDigest } from './rows.ts';

interface EventRow {
  event_id: string;
  queue: string;
  kind: string;
  tag: string | null;
  digest: string | null;
  previous_digest: string | null;
  media_type: string | null;
  size_bytes: number | null;
  reason: string | null;
  uid: string;
  realm: string | null;
  issuer: string | null;
  claims: Record<string, string> | null;
  happened: Date;
}

/** `id` is null where the queue's first event isn't due; then all but `name` and `wait_ms` are. */
type QueueRow = { name: string; wait_ms: number } & (
  | { id: null }
  | ({ id: string; attempts: number; age_ms: number } & EventRow)
);

interface StateRow {
  sink: string;
  pending: number;
  parked: number;
  oldest: Date | null;
  oldest_age_ms: number;
  last_success: Date | null;
  last_failure: Date | null;
  last_error: string | null;
}

interface FailedRow extends EventRow {
  id: string;
  sink: string;
  attempts: number;
  error: string;
  due: Date | null;
  parked: Date | null;
}

export class PgOutboxRecords implements OutboxRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  scan(
    sink: string,
    after: QueueName | undefined,
    limit: number,
    depth: number,
  ): Promise<OutboxQueue[]> {
    return this.#queues(SCAN, [sink, depth, after ?? '', limit]);
  }

  read(sink: string, names: readonly QueueName[], depth: number): Promise<OutboxQueue[]> {
    return this.#queues(READ, [sink, depth, names]);
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#database.query(REMOVE, [ids]);
  }

  async postpone(id: string, error: string, forMs: number): Promise<void> {
    await this.#database.query(POSTPONE, [id, error, forMs]);
  }

  async park(id: string, error: string): Promise<void> {
    await this.#database.query(PARK, [id, error]);
  }

  parkAged(sink: string, ageMs: number, error: string, limit: number): Promise<number> {
    return this.#count(PARK_AGED, [sink, ageMs, error, limit]);
  }

  async retryNow(sink: string): Promise<void> {
    await this.#database.query(RETRY_NOW, [sink]);
  }

  removeParked(sink: string, keepMs: number, limit: number): Promise<number> {
    return this.#count(REMOVE_PARKED, [sink, keepMs, limit]);
  }

  async sinks(): Promise<string[]> {
    const rows = await this.#database.query<{ sink: string }>(SINKS, []);
    return rows.map(({ sink }) => sink);
  }

  removeAged(sink: string, ageMs: number, limit: number): Promise<number> {
    return this.#count(REMOVE_AGED, [sink, ageMs, limit]);
  }

  async forget(sink: string): Promise<void> {
    await this.#database.query(FORGET, [sink]);
  }

  async report(sink: string, report: SinkReport): Promise<void> {
    const { successAgeMs, failureAgeMs, lastError } = report;
    const values = [sink, successAgeMs ?? null, failureAgeMs ?? null, lastError ?? null];
    await this.#database.query(REPORT, values);
  }

  async states(): Promise<SinkState[]> {
    return (await this.#database.scan<StateRow>(STATES, [])).map((row) => ({
      sink: row.sink,
      pending: row.pending,
      oldest: row.oldest ?? undefined,
      oldestAgeMs: row.oldest_age_ms,
      parked: row.parked,
      lastSuccess: row.last_success ?? undefined,
      lastFailure: row.last_failure ?? undefined,
      lastError: row.last_error ?? undefined,
    }));
  }

  async listFailed(after: string | undefined, limit: number): Promise<FailedDelivery[]> {
    const rows = await this.#database.query<FailedRow>(LIST_FAILED, [after ?? '0', limit]);
    return rows.map((row) => ({
      id: row.id,
      sink: row.sink,
      event: toEvent(row),
      attempts: row.attempts,
      error: row.error,
      nextAttempt: row.due ?? undefined,
      parked: row.parked ?? undefined,
    }));
  }

  async #queues(statement: Statement, values: unknown[]): Promise<OutboxQueue[]> {
    const rows = await this.#database.query<QueueRow>(statement, values);
    const queues = new Map<string, { waitMs: number; entries: OutboxEntry[] }>();
    for (const row of rows) {
      const queue = queues.get(row.name) ?? { waitMs: row.wait_ms, entries: [] };
      queues.set(row.name, queue);
      if (row.id === null) continue;
      const { id, attempts, age_ms: ageMs } = row;
      queue.entries.push({ id, attempts, ageMs, event: toEvent(row) });
    }
    return Array.from(queues, ([name, { waitMs, entries }]) => ({
      name,
      waitMs,
      entries: entries.toSorted((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1)),
    })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Of a sink that is away nearly all rows may be looked at. */
  async #count(statement: Statement, values: unknown[]): Promise<number> {
    return (await this.#database.scan(statement, values)).length;
  }
}

function toEvent(row: EventRow): RegistryEvent {
  const { uid, realm, issuer, claims } = row;
  return {
    id: row.event_id,
    kind: kindOf(row.kind),
    happened: row.happened,
    principal: {
      uid,
      ...(realm !== null && { realm }),
      ...(issuer !== null && { issuer }),
      ...(claims !== null && { claims }),
    },
    repository: row.queue === LOGINS_QUEUE ? undefined : parseRepositoryName(row.queue),
    tag: row.tag === null ? undefined : parseTag(row.tag),
    digest: row.digest === null ? undefined : toDigest(row.digest),
    previousDigest: row.previous_digest === null ? undefined : toDigest(row.previous_digest),
    mediaType: row.media_type ?? undefined,
    sizeBytes: row.size_bytes ?? undefined,
    reason: row.reason ?? undefined,
  };
}

function kindOf(text: string): RegistryEvent['kind'] {
  const kind = REGISTRY_EVENT_KINDS.find((one) => one === text);
  if (kind) return kind;
  throw new Error(`the database holds an event of unknown kind: ${text}`);
}
