import { IdentityUnavailable, InvalidCredential } from '../auth/identity.ts';
import { OciError } from '../oci/error.ts';

const RETRY = { 'Retry-After': '5' };

/**
 * What an error of access control means to a client; other errors are given back as they are.
 * @param challenge the value of WWW-Authenticate, which every 401 has
 */
export function toAccessError(error: unknown, challenge: string): unknown {
  if (error instanceof InvalidCredential) {
    const { message, kind } = error;
    return kind === 'forbidden' ? new OciError('DENIED', { message }) : logIn(message, challenge);
  }
  if (error instanceof IdentityUnavailable) {
    return new OciError('UNAVAILABLE', {
      message:
        'credentials cannot be checked now: a service that this needs is unavailable, try again',
      headers: RETRY,
      cause: error,
    });
  }
  return error;
}

/** 401: asks for a credential, or for another one. */
export function logIn(message: string, challenge: string): OciError {
  return new OciError('UNAUTHORIZED', { message, headers: { 'WWW-Authenticate': challenge } });
}
