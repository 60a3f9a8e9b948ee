import { S3Connection } from './s3-connection.ts';

/** Each reader that streams holds one. */
const MAX_CONNECTIONS = 4096;
const MAX_IDLE = 64;

/** The connections of one thread to one bucket's host, kept for a while after their use. */
export class S3Connections {
  readonly #silenceMs: number;
  readonly #all = new Set<S3Connection>();
  /** The one that was used last is taken first: the others grow old and end. */
  readonly #idle: S3Connection[] = [];

  /** @param silenceMs how long a connection is waited for */
  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs;
  }

  get areAllTaken(): boolean {
    return this.#all.size - this.#idle.length >= MAX_CONNECTIONS;
  }

  /** One that was used before, and may have been closed by S3 meanwhile. */
  takeIdle(host: string): S3Connection | undefined {
    const index = this.#idle.findLastIndex((connection) => connection.host === host);
    return index < 0 ? undefined : this.#idle.splice(index, 1)[0];
  }

  open(url: URL): S3Connection {
    const connection = new S3Connection(url, this.#silenceMs, () => this.#forget(connection));
    this.#all.add(connection);
    return connection;
  }

  /** The answer on it has come to its end. */
  giveBack(connection: S3Connection): void {
    if (connection.isEnded) return;
    connection.release();
    this.#idle.push(connection);
    if (this.#idle.length > MAX_IDLE) this.#idle[0]?.end();
  }

  #forget(connection: S3Connection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}
