import { createHash } from 'node:crypto';
import { Client, type QueryResultRow } from 'pg';
import type { HeldLock, Locks } from '../metadata-store.ts';
import { connectionOptions, type DatabaseMetrics, type Statement, translate } from './database.ts';

const TRY_ACQUIRE = {
  name: 'lock-try-acquire',
  text: 'select pg_try_advisory_lock($1::bigint) as answer',
};
const RELEASE = { name: 'lock-release', text: 'select pg_advisory_unlock($1::bigint) as answer' };
/** Looks without touching: to try the lock would keep others from it for a moment. */
const IS_HELD = {
  name: 'lock-is-held',
  text: `select exists (
           select from pg_locks l join pg_database d on d.oid = l.database
           where d.datname = current_database() and l.locktype = 'advisory' and l.objsubid = 1 and l.granted
             and (l.classid::bigint << 32) | l.objid::bigint = $1::bigint
         ) as answer`,
};

/**
 * Of an instance whose machine is gone, or no longer reached, PostgreSQL hears nothing: it keeps its locks until it
 * asks, by default after two hours. The instance itself notices that earlier (connectionOptions).
 */
const NOTICE_THE_DEAD = `set tcp_keepalives_idle = 15; set tcp_keepalives_interval = 5;
                         set tcp_keepalives_count = 3; set tcp_user_timeout = 30000`;

/** As lockKey() has them. */
const HELD = {
  name: 'lock-held',
  text: `select ((l.classid::bigint << 32) | l.objid::bigint)::text as key
         from pg_locks l join pg_database d on d.oid = l.database
         where d.datname = current_database() and l.locktype = 'advisory' and l.objsubid = 1 and l.granted`,
};

/**
 * Advisory locks on one dedicated connection: they end when the instance dies, and no transaction is held open
 * while bytes flow. When the connection is lost all its locks are, which is why every commit that relies on one
 * also compares what it expects.
 */
export class AdvisoryLocks implements Locks {
  readonly #url: string;
  readonly #onLost: (error: Error) => void;
  readonly #metrics: DatabaseMetrics | undefined;
  /** Names held by this instance: PostgreSQL would grant them to the same connection again. */
  readonly #held = new Set<string>();
  #client: Promise<Client> | undefined;
  /** The client that #client has become. */
  #connected: Client | undefined;
  #lastAnswer: Promise<unknown> = Promise.resolve();

  constructor(url: string, onLost: (error: Error) => void, metrics?: DatabaseMetrics) {
    this.#url = url;
    this.#onLost = onLost;
    this.#metrics = metrics;
  }

  async tryAcquire(name: string): Promise<HeldLock | undefined> {
    if (this.#held.has(name)) return undefined;
    this.#held.add(name);
    try {
      const client = await this.#connection();
      if (await this.#ask(client, TRY_ACQUIRE, name)) return this.#heldLock(client, name);
    } catch (error) {
      this.#held.delete(name);
      throw translate(error);
    }
    this.#held.delete(name);
    return undefined;
  }

  async isHeld(name: string): Promise<boolean> {
    if (this.#held.has(name)) return true;
    try {
      return await this.#ask(await this.#connection(), IS_HELD, name);
    } catch (error) {
      throw translate(error);
    }
  }

  async heldBut(names: readonly string[]): Promise<Set<string>> {
    const left = new Set(names.map(lockKey));
    try {
      const client = await this.#connection();
      const rows = await this.#query<{ key: string }>(client, HELD);
      return new Set(rows.map(({ key }) => key).filter((key) => !left.has(key)));
    } catch (error) {
      throw translate(error);
    }
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.end();
  }

  #heldLock(client: Client, name: string): HeldLock {
    let isReleased = false;
    const isConnected = () => this.#connected === client;
    return {
      get isHeld() {
        return !isReleased && isConnected();
      },
      release: async () => {
        if (isReleased) return;
        isReleased = true;
        // An error here means a dead connection, and the lock has died with it.
        await this.#ask(client, RELEASE, name).catch(() => undefined);
        // After a loss, the names are those of the next connection.
        if (this.#connected === client) this.#held.delete(name);
      },
    };
  }

  async #ask(client: Client, question: Statement, name: string): Promise<boolean> {
    const rows = await this.#query<{ answer: boolean }>(client, question, [lockKey(name)]);
    return rows[0]?.answer ?? false;
  }

  /** One question after the other: a connection takes one at a time. */
  #query<Row extends QueryResultRow>(
    client: Client,
    question: Statement,
    values: string[] = [],
  ): Promise<Row[]> {
    const begin = performance.now();
    const answer = this.#lastAnswer.then(() => client.query<Row>({ ...question, values }));
    this.#lastAnswer = answer
      .catch(() => undefined)
      .then(() => this.#metrics?.databaseQuery(question.name, (performance.now() - begin) / 1000));
    return answer.then(
      ({ rows }) => rows,
      (error: unknown) => {
        // Whether the server still carries the question out is unknown: its locks end with the connection.
        this.#drop(client);
        throw error;
      },
    );
  }

  #connection(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<Client> {
    const client = new Client({
      ...connectionOptions(this.#url),
      application_name: 'pierone-locks',
    });
    client.on('error', (error) => {
      this.#drop(client);
      this.#onLost(error);
    });
    try {
      await client.connect();
      await client.query(NOTICE_THE_DEAD);
      this.#connected = client;
      return client;
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }

  /** Told of by every question that was under way: only the first one counts. */
  #drop(client: Client): void {
    client.end().catch(() => undefined);
    if (this.#connected !== client) return;
    this.#connected = undefined;
    this.#client = undefined;
    this.#lastAnswer = Promise.resolve();
    this.#held.clear();
  }
}

/** 64 bits of the name's hash, as the signed decimal that bigint takes. */
export function lockKey(name: string): string {
  return createHash('sha256').update(`pierone ${name}`).digest().readBigInt64BE().toString();
}
