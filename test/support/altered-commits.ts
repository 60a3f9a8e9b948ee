import type { Ingest } from '../../src/workers/ingest.ts';

/** An ingest whose commits run as `alter` has it; all else is its own. @param alter is given what commits */
export function alterCommits(
  ingest: Ingest,
  alter: (commit: () => Promise<void>) => Promise<void>,
): Ingest {
  return {
    get isBusy() {
      return ingest.isBusy;
    },
    append: (request) =>
      ingest.append({
        ...request,
        commit: (segment) => alter(() => request.commit(segment)),
      }),
    digestStored: (...segments) => ingest.digestStored(...segments),
    usage: () => ingest.usage(),
    ping: () => ingest.ping(),
    close: () => ingest.close(),
  };
}
