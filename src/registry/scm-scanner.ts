import type { Log } from '../log.ts';
import { MetadataUnavailable } from '../meta/metadata-store.ts';
import type { ScmScan, ScmSourceRecords } from '../meta/records/scm-source-records.ts';
import type { ScmScanResult, ScmScans } from '../workers/scm-scans.ts';
import { BackgroundJob } from './background-job.ts';

const MIB = 1024 * 1024;
/** Blobs of both sizes are scanned at the same time, so that a small one never waits for a large one. */
const LANES = [
  { overBytes: -1, upToBytes: 8 * MIB },
  { overBytes: 8 * MIB, upToBytes: Number.MAX_SAFE_INTEGER },
] as const;
type Lane = (typeof LANES)[number];

/** What other instances left, or could not do, is found after so long; own pushes wake. */
const POLL_MS = 5_000;
/** Many pushes at once wake once. */
const WAKE_MS = 100;
/** An instance that died loses its claim after so long. */
const CLAIM_MS = 15_000;
const RENEW_MS = 5_000;
const MAX_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 3_600_000;

export interface ScmScannerOptions {
  readonly records: ScmSourceRecords;
  readonly scans: ScmScans;
  readonly log: Log;
}

/**
 * Looks for sources in the blobs of pushed manifests, after their push: each once, on one of the instances. What a
 * crash interrupts is done again.
 */
export class ScmScanner {
  readonly #options: ScmScannerOptions;
  readonly #jobs: readonly BackgroundJob[];
  #isStopping = false;
  #waking: NodeJS.Timeout | undefined;

  constructor(options: ScmScannerOptions) {
    this.#options = options;
    const failure = 'looking for sources failed; it is tried again';
    const timing = { firstMs: POLL_MS, intervalMs: POLL_MS, log: options.log, failure };
    this.#jobs = LANES.map((lane) => new BackgroundJob(timing, () => this.#scanAll(lane)));
  }

  start(): void {
    for (const job of this.#jobs) job.start();
  }

  /** A manifest was stored. */
  wake(): void {
    this.#waking ??= setTimeout(() => {
      this.#waking = undefined;
      for (const job of this.#jobs) job.wake();
    }, WAKE_MS).unref();
  }

  /** Ends the threads of scans, too; what it was at is given back. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#waking);
    await Promise.all([this.#options.scans.close(), ...this.#jobs.map((job) => job.stop())]);
  }

  async #scanAll({ overBytes, upToBytes }: Lane): Promise<void> {
    while (!this.#isStopping) {
      const blob = await this.#options.records.claimScan(overBytes, upToBytes, CLAIM_MS);
      if (!blob) return;
      await this.#scan(blob);
    }
  }

  async #scan(blob: ScmScan): Promise<void> {
    const { records, scans } = this.#options;
    const renewal = setInterval(() => {
      // If the database is away, the claim may be lost, and the blob be scanned twice: that does no harm.
      records.renewClaim(blob.digest, CLAIM_MS).catch(() => undefined);
    }, RENEW_MS);
    try {
      // One that ended with its instance so often is not tried any more.
      if (blob.attempts > MAX_ATTEMPTS) await this.#fail(blob, 'no scan of it came to an end');
      else await this.#record(blob, await scans.scan(blob));
    } catch (error) {
      if (error instanceof MetadataUnavailable) throw error;
      await this.#postpone(blob, error);
    } finally {
      clearInterval(renewal);
    }
  }

  async #record({ digest, ...blob }: ScmScan, result: ScmScanResult): Promise<void> {
    const { records, log } = this.#options;
    if (result.kind === 'unreadable') return this.#fail({ digest, ...blob }, result.reason);
    if (result.kind === 'none') return records.endScan(digest, undefined);
    const { origin, finding } = result;
    await records.endScan(digest, { origin, finding });
    const invalid = finding.kind === 'invalid' ? { reason: finding.reason } : {};
    log.info({ digest, origin, ...invalid }, `found ${finding.kind} scm source`);
  }

  async #postpone(blob: ScmScan, error: unknown): Promise<void> {
    const { records, log } = this.#options;
    const { digest, attempts } = blob;
    if (this.#isStopping) return records.postponeScan(digest, 0, false);
    log.warn({ err: error, digest, attempts }, 'a blob could not be looked into');
    if (attempts >= MAX_ATTEMPTS) return this.#fail(blob, messageOf(error));
    await records.postponeScan(digest, pauseAfter(attempts), true);
  }

  async #fail({ digest }: ScmScan, reason: string): Promise<void> {
    await this.#options.records.failScan(digest, reason);
    this.#options.log.warn({ digest, reason }, 'a blob is not looked into any more');
  }
}

function pauseAfter(attempts: number): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 4 ** (attempts - 1));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
