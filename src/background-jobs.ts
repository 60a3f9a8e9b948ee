import type { Config } from './config.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';
import { Compactor } from './registry/compactor.ts';
import { ScmScanner } from './registry/scm-scanner.ts';
import { Sweeper } from './registry/sweeper.ts';
import type { BlobStore } from './storage/blob-store.ts';
import type { Ingest } from './workers/ingest.ts';
import { openScanPool } from './workers/scm-scan-pool.ts';

export interface JobsParts {
  readonly metadata: MetadataStore;
  readonly store: BlobStore;
  readonly ingest: Ingest;
  readonly registryId: string;
  readonly log: Log;
}

/** What runs beside requests. */
export interface Jobs {
  /** There is a new manifest. */
  lookForSources(): void;
  stop(): Promise<void>;
}

/** Starts what sweeps, makes one object of several, and looks for sources of images. */
export function startJobs(config: Config, parts: JobsParts): Jobs {
  const scanner = openScanner(config, parts);
  const jobs = [openSweeper(config, parts), openCompactor(config, parts), scanner];
  for (const job of jobs) job?.start();
  return {
    lookForSources: () => scanner.wake(),
    stop: async () => {
      await Promise.all(jobs.map(async (job) => job?.stop()));
    },
  };
}

function openSweeper(
  { registry, http }: Config,
  { metadata, store, log, registryId }: JobsParts,
): Sweeper {
  const { sweepIntervalMs: intervalMs, sweepGraceMs: graceMs } = registry;
  // A transfer without a byte is cut after the idle time-out; as long again for its commit.
  const appendMs = 2 * http.pace.idleTimeoutMs;
  return new Sweeper({ metadata, store, log, registryId, intervalMs, graceMs, appendMs });
}

function openCompactor(
  { registry }: Config,
  { metadata, store, log }: JobsParts,
): Compactor | undefined {
  const { joiner } = store;
  if (!joiner) return undefined;
  const { compactIntervalMs: intervalMs, sweepGraceMs: graceMs } = registry;
  return new Compactor({ metadata, store, joiner, log, intervalMs, graceMs });
}

function openScanner({ storage }: Config, { metadata, ingest, log }: JobsParts): ScmScanner {
  const scans = openScanPool({ store: storage, isBusy: () => ingest.isBusy });
  return new ScmScanner({ records: metadata.scmSources, scans, log });
}
