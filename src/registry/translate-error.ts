import { MetadataUnavailable } from '../meta/metadata-store.ts';
import { OciError } from '../oci/error.ts';
import { ObjectNotFound, StoreFull, StoreUnavailable } from '../storage/blob-store.ts';
import { LengthMismatch, WorkerDied } from '../workers/ingest.ts';

const RETRY = { 'Retry-After': '5' };

/** What an error of any layer means to a client. What nobody expected is UNKNOWN (500): a bug. */
export function toOciError(error: unknown): OciError {
  if (error instanceof OciError) return error;
  if (error instanceof MetadataUnavailable) {
    return unavailable('the database is unavailable: try again', error);
  }
  if (error instanceof StoreUnavailable) {
    return unavailable('the store of blobs is unavailable: try again', error);
  }
  if (error instanceof WorkerDied) {
    return unavailable(
      'the request was lost inside the registry: ask for the status of the upload, and go on from there',
      error,
    );
  }
  if (error instanceof StoreFull) {
    return new OciError('UNAVAILABLE', {
      status: 507,
      message: 'the registry has no room left for blobs: tell its operator',
      cause: error,
    });
  }
  if (error instanceof ObjectNotFound) {
    return unavailable('the bytes of this blob are missing in the store: tell the operator', error);
  }
  if (error instanceof LengthMismatch) {
    return new OciError('SIZE_INVALID', {
      message: `the body doesn't have the ${error.expectedBytes} bytes that were announced; nothing was appended, send it again with its own length`,
      cause: error,
    });
  }
  return new OciError('UNKNOWN', { cause: error });
}

function unavailable(message: string, cause: Error): OciError {
  return new OciError('UNAVAILABLE', { message, cause, headers: RETRY });
}
