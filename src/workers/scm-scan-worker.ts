import { constants, platform, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { ObjectNotFound, StoreUnavailable } from '../storage/blob-store.ts';
import { openStore, type StoreLocation } from '../storage/open-store.ts';
import type { TaskResult } from './protocol.ts';
import { ScanPace } from './scan-pace.ts';
import { SCAN_LIMITS, scanBlob } from './scm-scan.ts';
import type { ScmScanRequest, ScmScanResult } from './scm-scans.ts';

/*
 * The entry of a thread that looks for sources in blobs, one at a time.
 */

/** On Linux each thread has a priority of its own; elsewhere it would be the whole process. */
if (platform() === 'linux' && !isMainThread) setPriority(constants.priority.PRIORITY_LOW);

const MAX_WORK_MS = 600_000;

export interface ScanTask extends ScmScanRequest {
  readonly store: StoreLocation;
  /** See PaceControl. */
  readonly cells: Int32Array;
}

export async function scan(task: ScanTask): Promise<TaskResult<ScmScanResult>> {
  const pace = new ScanPace(task.cells, MAX_WORK_MS);
  const pause = () => pace.pause();
  const sizeBytes = task.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  try {
    const chunks = readAll(task, pause);
    const value = await scanBlob({ chunks, sizeBytes, limits: SCAN_LIMITS, pause });
    return { kind: 'done', value };
  } catch (error) {
    if (error instanceof ObjectNotFound) {
      return { kind: 'failed', reason: 'not-found', key: error.key };
    }
    if (error instanceof StoreUnavailable) {
      return { kind: 'failed', reason: 'unavailable', message: error.message };
    }
    throw error;
  }
}

async function* readAll({ store: location, segments }: ScanTask, pause: () => Promise<void>) {
  const store = await openStore(location);
  for (const { key, sizeBytes } of segments) {
    for await (const chunk of store.read(key, 0, sizeBytes)) {
      yield chunk;
      await pause();
    }
  }
}
