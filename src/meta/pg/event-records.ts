import type { Batches, Part } from '../records/catalog-records.ts';
import type {
  EventRecords,
  TagEvent,
  TagEventFilter,
  TagEventKind,
} from '../records/event-records.ts';
import type { Database } from './database.ts';
import { BETWEEN_TIMES, eventStatement, LAST_ID, OLDEST_WRITER } from './event-statements.ts';
import { type Lists, mapRows } from './lists.ts';
import { toDigest } from './rows.ts';

interface EventRow {
  id: string;
  repository: string;
  tag: string | null;
  kind: TagEventKind;
  digest: string | null;
  previous_digest: string | null;
  reason: string | null;
  uid: string;
  realm: string | null;
  issuer: string | null;
  happened: Date;
  repetitions: number;
  last_happened: Date;
}

export class PgEventRecords implements EventRecords {
  readonly #database: Database;
  readonly #lists: Lists;

  constructor(database: Database, lists: Lists) {
    this.#database = database;
    this.#lists = lists;
  }

  async *list(
    filter: TagEventFilter,
    isNewestFirst: boolean,
    { after, limit }: Part<string>,
  ): Batches<TagEvent> {
    const range = await this.#range(filter, isNewestFirst, after);
    const { statement, values } = eventStatement(filter, isNewestFirst);
    const times = [filter.since ?? null, filter.until ?? null];
    const parameters = [range.above.toString(), range.last.toString(), ...times, ...values];
    yield* mapRows(this.#lists.read<EventRow>(statement, parameters, limit), toEvent);
  }

  /** Behind which id the list begins, and the last one that can be in it. */
  async #range(
    { since, until }: TagEventFilter,
    isNewestFirst: boolean,
    after: string | undefined,
  ) {
    const range = { above: 0n, last: await this.#lastSettled() };
    if (after !== undefined && isNewestFirst) range.last = least(range.last, BigInt(after) - 1n);
    else if (after !== undefined) range.above = BigInt(after);
    if (!since && !until) return range;
    const [times] = await this.#database.query<{ above: string | null; last: string | null }>(
      BETWEEN_TIMES,
      [since ?? null, until ?? null],
    );
    const above = BigInt(times?.above ?? range.last);
    if (since && above > range.above) range.above = above;
    if (until) range.last = least(range.last, BigInt(times?.last ?? 0));
    return range;
  }

  /**
   * The last id behind which nothing will come before it. Three questions one after the other: an id that was given
   * before the first answer belongs to a row that the list will see, or to a writer that the second one sees.
   */
  async #lastSettled(): Promise<bigint> {
    const [last] = await this.#database.query<{ last: string }>(LAST_ID, []);
    const [writer] = await this.#database.query<{ last: string | null }>(OLDEST_WRITER, []);
    const lastId = BigInt(last?.last ?? 0);
    return writer?.last ? least(lastId, BigInt(writer.last)) : lastId;
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function toEvent(row: EventRow): TagEvent {
  return {
    id: row.id,
    repository: row.repository,
    tag: row.tag ?? undefined,
    kind: row.kind,
    digest: row.digest === null ? undefined : toDigest(row.digest),
    previousDigest: row.previous_digest === null ? undefined : toDigest(row.previous_digest),
    reason: row.reason ?? undefined,
    uid: row.uid,
    realm: row.realm ?? undefined,
    issuer: row.issuer ?? undefined,
    happened: row.happened,
    repetitions: row.repetitions,
    lastHappened: row.last_happened,
  };
}
