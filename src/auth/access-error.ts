import { OciError } from '../oci/error.ts';
import { IdentityUnavailable, InvalidCredential } from './identity.ts';

const RETRY = { 'Retry-After': '5' };

/** What went wrong with a credential, as a client is told it; other errors are given back as they are. */
export function toAccessError(error: unknown): unknown {
  if (error instanceof InvalidCredential) {
    const { message, kind } = error;
    return new OciError(kind === 'invalid' ? 'UNAUTHORIZED' : 'DENIED', { message, cause: error });
  }
  if (error instanceof IdentityUnavailable) {
    return new OciError('UNAVAILABLE', {
      message:
        'credentials can not be checked now, since a service that this needs is unavailable: try again',
      cause: error,
      headers: RETRY,
    });
  }
  return error;
}
