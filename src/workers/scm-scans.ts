import type { ScmFinding } from '../oci/scm-source.ts';

/** What was read in a blob. */
export type ScmScanResult =
  /** In an archive's scm-source.json, or in the labels of an image's config. */
  | { readonly kind: 'found'; readonly origin: 'file' | 'label'; readonly finding: ScmFinding }
  | { readonly kind: 'none' }
  /** Damaged, or beyond what a scan may cost; another try would end the same. */
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface ScmScanRequest {
  readonly segments: readonly { readonly key: string; readonly sizeBytes: number }[];
}

/** Looks for sources in stored blobs, in threads of its own, and yields to pushes. */
export interface ScmScans {
  /** @throws WorkerDied, ObjectNotFound, StoreUnavailable: another try may do better */
  scan(request: ScmScanRequest): Promise<ScmScanResult>;
  /** Ends the threads. Scans under way fail with WorkerDied. */
  close(): Promise<void>;
}
