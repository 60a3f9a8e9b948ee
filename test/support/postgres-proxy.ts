import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Between a registry and its PostgreSQL: loses a connection at a moment of a transaction. */
export interface PostgresProxy {
  readonly url: string;
  /**
   * Cuts the connection of the next COMMIT: before PostgreSQL sees it, or after it was done and before its answer
   * arrives. Resolves when that has happened.
   */
  cutNextCommit(moment: 'before' | 'after'): Promise<void>;
  close(): Promise<void>;
}

/** What ends a transaction, and what PostgreSQL says when it has: also the statement that is one by itself. */
const COMMITS = [
  { question: 'commit\0', answer: 'COMMIT\0' },
  { question: 'upload-finish\0', answer: 'SELECT 1\0' },
  { question: 'upload-close\0', answer: 'SELECT 1\0' },
];

/** `databaseUrl` names a PostgreSQL on a Unix socket, as startPostgres gives it. */
export async function startPostgresProxy(databaseUrl: string): Promise<PostgresProxy> {
  const { searchParams, pathname } = new URL(databaseUrl);
  const socketPath = `${searchParams.get('host')}/.s.PGSQL.${searchParams.get('port')}`;
  const sockets = new Set<Socket>();
  let armed: { readonly moment: 'before' | 'after'; readonly done: () => void } | undefined;
  const server = createServer((client) => {
    const upstream = connect(socketPath);
    let commit: (typeof COMMITS)[number] | undefined;
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut).on('close', cut);
      socket.on('close', () => sockets.delete(socket));
    }
    const cutArmed = () => {
      cut();
      armed?.done();
      armed = undefined;
    };
    client.on('data', (data) => {
      if (armed) commit ??= COMMITS.find(({ question }) => data.includes(question));
      if (commit && armed?.moment === 'before') cutArmed();
      else upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (commit && data.includes(commit.answer)) cutArmed();
      else client.write(data);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `postgresql://postgres@127.0.0.1:${address.port}${pathname}?sslmode=disable`,
    cutNextCommit: (moment) =>
      new Promise((done) => {
        armed = { moment, done };
      }),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
