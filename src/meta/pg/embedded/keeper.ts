import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../../log.ts';
import { DatabaseInUse, EmbeddedPostgresError, OTHERWISE } from './error.ts';
import { takeOwnership } from './owner.ts';
import type { Place } from './place.ts';
import { readPostmaster, stopPostmaster } from './process.ts';
import { ensureServer, type RunningServer } from './server.ts';

/** A server that is being stopped ends our connection once; more often, somebody starts and stops it all the time. */
const MAX_TRIES = 5;
/** The first try after a loss comes at once, the next ones after 1, 2, 4, … s: six in the first minute, then two. */
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** After the loss of a server that ran for so long, the pauses begin anew. */
const WELL_MS = 60_000;

/**
 * Starts the server, or takes over the one that runs, and makes it ours.
 * @throws DatabaseInUse where it is another process's; EmbeddedPostgresError; the signal's reason, leaving no server
 * behind that this call started and that isn't ours
 */
export async function own(
  place: Place,
  binaries: string,
  signal?: AbortSignal,
): Promise<RunningServer> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const server = await ensureServer(place, binaries, signal);
    if (await takeOwnership(server.client, place.cluster)) return server;
  }
  throw new EmbeddedPostgresError(
    `The embedded PostgreSQL in ${place.cluster} stops again and again; see ${place.logFile}, or ${OTHERWISE}`,
  );
}

/**
 * Keeps a server running that is ours, at the same address: when it is lost, or the connection that makes it ours is,
 * it is owned again, until `stop`.
 */
export class Keeper {
  readonly #place: Place;
  readonly #binaries: string;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  /** The one that is ours, or was the last that was. */
  #server: RunningServer;
  #ownedSinceMs = 0;
  /** Whose the database is: ours; nobody's yet after a loss; another process's, whose server is not to be stopped. */
  #ownership: 'ours' | 'lost' | 'taken' = 'ours';
  #tries = 0;
  #recovery: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(place: Place, binaries: string, server: RunningServer, log: Log) {
    this.#place = { ...place, socketDirectory: server.postmaster.socketDirectory };
    this.#binaries = binaries;
    this.#log = log;
    this.#server = server;
    this.#keep(server);
  }

  /** Ends the server by a fast shutdown, and returns when it is gone. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown();
    return this.#stopped;
  }

  #keep(server: RunningServer): void {
    this.#server = server;
    this.#ownedSinceMs = Date.now();
    this.#ownership = 'ours';
    let reason: unknown;
    server.client.on('error', (error) => {
      reason ??= error;
    });
    server.client.once('end', () => {
      if (this.#stopping.signal.aborted) return;
      this.#ownership = 'lost';
      const { cluster: directory } = this.#place;
      this.#log.warn({ directory, err: reason }, 'embedded PostgreSQL: lost; starting it again');
      this.#recovery = this.#recover();
    });
  }

  async #recover(): Promise<void> {
    const { signal } = this.#stopping;
    const { cluster: directory } = this.#place;
    if (Date.now() - this.#ownedSinceMs > WELL_MS) this.#tries = 0;
    while (!signal.aborted) {
      try {
        await delay(pauseMs(this.#tries++), undefined, { signal });
        const server = await own(this.#place, this.#binaries, signal);
        this.#keep(server);
        const { pid } = server.postmaster;
        this.#log.info({ directory, pid }, 'embedded PostgreSQL: running again');
        return;
      } catch (error) {
        if (error instanceof DatabaseInUse) this.#ownership = 'taken';
        if (signal.aborted) return;
        const nextTryMs = pauseMs(this.#tries);
        this.#log.warn(
          { directory, nextTryMs, err: error },
          'embedded PostgreSQL: it could not be started again; the next try follows',
        );
      }
    }
  }

  /** The connection stays until the server is gone: otherwise a new owner might come, and lose its server at once. */
  async #shutDown(): Promise<void> {
    this.#stopping.abort();
    try {
      await this.#recovery;
      if (this.#ownership !== 'taken') await this.#stopServer();
    } finally {
      await this.#server.client.end().catch(() => {});
    }
  }

  /** Also one that was started after a loss, and isn't ours yet; else another one is the next owner's, who waited. */
  async #stopServer(): Promise<void> {
    const { cluster } = this.#place;
    await stopPostmaster(this.#server.postmaster.pid, cluster);
    if (this.#ownership === 'ours') return;
    const other = await readPostmaster(cluster);
    if (other?.state === 'running') await stopPostmaster(other.pid, cluster);
  }
}

function pauseMs(triesBefore: number): number {
  if (triesBefore === 0) return 0;
  return Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** (triesBefore - 1));
}
