/*
 * What PostgreSQL's error codes mean here; the one place that reads them.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */

/** The five characters of SQLSTATE, or Node's code of a system error. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** Deadlock detected, serialization failure: run the transaction again. */
export function isRetryable(error: unknown): boolean {
  return codeOf(error) === '40P01' || codeOf(error) === '40001';
}

const SYSTEM_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EADDRNOTAVAIL',
  'EHOSTDOWN',
  'ENETDOWN',
  'EMFILE',
  'EACCES',
  'EPERM',
]);

/** pg reports these without a code. */
const MESSAGES =
  /connection terminated|timeout expired|timeout exceeded when trying to connect|does not support SSL|query read timeout|client has encountered a connection error|not queryable|client was closed/i;

/**
 * The database can't be asked: no connection, or it was lost (class 08, 57P01 to 57P05), too many of them
 * (class 53), a statement or a transaction that ran out of time (57014, 25P03), a server that can't write just now
 * (25006, 58…), a user or a database that it doesn't know (28, 3D).
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (
    /^(08|28|3D|53|57|58)/.test(code) ||
    code === '25006' ||
    code === '25P03' ||
    SYSTEM_CODES.has(code)
  )
    return true;
  return code === '' && error instanceof Error && MESSAGES.test(error.message);
}

/** It is there and doesn't let us in: a wrong user, password or database, no TLS, a socket of others. */
export function isRefusal(error: unknown): boolean {
  if (/^(28|3D|EACCES$|EPERM$)/.test(codeOf(error))) return true;
  return error instanceof Error && /does not support SSL/.test(error.message);
}

/** What the user may not do: in a new database of PostgreSQL 15 or newer, make tables as another one than its owner. */
export function isForbidden(error: unknown): boolean {
  return codeOf(error) === '42501';
}
