import { ObjectNotFound, StoreFull, StoreUnavailable } from '../blob-store.ts';

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** What an errno means for a store. Errors of the store's own pass unchanged. */
export function translateFileError(error: unknown, key: string): Error {
  if (error instanceof StoreFull || error instanceof StoreUnavailable) return error;
  if (error instanceof ObjectNotFound) return error;
  if (hasCode(error, 'ENOENT')) return new ObjectNotFound(key, { cause: error });
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT') || hasCode(error, 'EFBIG')) {
    return new StoreFull('the storage directory has no room left', { cause: error });
  }
  return unavailable(error);
}

export function unavailable(error: unknown): StoreUnavailable {
  const reason = error instanceof Error ? error.message : String(error);
  const isForbidden = ['EACCES', 'EPERM', 'EROFS'].some((code) => hasCode(error, code));
  const advice = isForbidden ? '; it must be writable for the user that the registry runs as' : '';
  return new StoreUnavailable(`the storage directory failed: ${reason}${advice}`, { cause: error });
}
