import { ObjectNotFound, StoreFull, StoreUnavailable } from '../storage/blob-store.ts';
import type { TaskResult } from './protocol.ts';

/** What a task gave. @throws StoreFull, ObjectNotFound, StoreUnavailable */
export function valueOf<T>(result: TaskResult<T>): T {
  if (result.kind === 'done') return result.value;
  switch (result.reason) {
    case 'full':
      throw new StoreFull(result.message);
    case 'not-found':
      throw new ObjectNotFound(result.key);
    case 'unavailable':
      throw new StoreUnavailable(result.message);
  }
}

/** An error of the store as a task gives it back; any other is thrown, and ends the task. */
export function failureOf(error: unknown): TaskResult<never> {
  if (error instanceof StoreFull) return { kind: 'failed', reason: 'full', message: error.message };
  if (error instanceof ObjectNotFound) {
    return { kind: 'failed', reason: 'not-found', key: error.key };
  }
  if (error instanceof StoreUnavailable) {
    return { kind: 'failed', reason: 'unavailable', message: error.message };
  }
  throw error;
}
