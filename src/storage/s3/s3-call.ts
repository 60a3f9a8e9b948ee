import { setTimeout as delay } from 'node:timers/promises';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { ObjectNotFound, StoreUnavailable } from '../blob-store.ts';

/** How long S3 is waited for, in ms. */
export interface S3Timeouts {
  /** A request, with its repetitions, takes no longer than this. */
  readonly callMs: number;
  /** One try of it: S3 may answer late, and a try that hangs must leave time for another. */
  readonly tryMs: number;
  /** A connection on which nothing moves for so long is given up; longer than slow answers take. */
  readonly silenceMs: number;
  /** After the last byte, the object is durable or given up within this time. */
  readonly closeMs: number;
}

export const TIMEOUTS: S3Timeouts = {
  callMs: 60_000,
  tryMs: 45_000,
  silenceMs: 40_000,
  closeMs: 75_000,
};
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

export interface CallOptions {
  /** Ends the call and its repetitions. */
  readonly signal?: AbortSignal | undefined;
  readonly timeouts?: Pick<S3Timeouts, 'callMs' | 'tryMs'>;
  readonly isWorthAnotherTry?: (error: unknown) => boolean;
}

/**
 * Sends a request to S3, and again with growing pauses while S3 is throttling, failing or not to be reached.
 * @param what completes the sentence "S3 could not …"
 * @param attempt sends it once; called again for each try. Its signal counts until it resolves
 * @throws ObjectNotFound, StoreUnavailable; what `signal` was aborted with
 */
export async function call<T>(
  what: string,
  attempt: (signal: AbortSignal) => Promise<T>,
  {
    signal,
    timeouts: { callMs, tryMs } = TIMEOUTS,
    isWorthAnotherTry = isTransient,
  }: CallOptions = {},
): Promise<T> {
  const endMs = Date.now() + callMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return await tryOnce(attempt, Math.min(endMs - Date.now(), tryMs), signal);
    } catch (error) {
      signal?.throwIfAborted();
      // Full jitter: many that were throttled at once must not come back at once.
      const waitMs = Math.random() * pauseMs;
      if (!isWorthAnotherTry(error) || Date.now() + waitMs >= endMs) throw translate(what, error);
      await delay(waitMs, undefined, signal && { signal });
    }
  }
}

async function tryOnce<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const controller = new AbortController();
  const onAbort = () => controller.abort();
  let isLate = false;
  const onTimeout = () => {
    isLate = true;
    controller.abort();
  };
  const timer = setTimeout(onTimeout, Math.max(1, timeoutMs));
  signal?.addEventListener('abort', onAbort);
  try {
    signal?.throwIfAborted();
    return await attempt(controller.signal);
  } catch (error) {
    throw isLate ? new Error(`no answer in ${timeoutMs} ms`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Worth another try. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof S3ServiceException)) return !isWithoutCredentials(error);
  const { httpStatusCode: status = 500 } = error.$metadata;
  if (status === 501) return false;
  return status >= 500 || status === 429 || status === 408 || TRANSIENT_CODES.has(error.name);
}

/** The SDK has already asked several times where they may come late. */
function isWithoutCredentials(error: unknown): boolean {
  return error instanceof Error && error.name === 'CredentialsProviderError';
}

const TRANSIENT_CODES = new Set([
  // As the body of an answer that had begun with 200.
  'InternalError',
  'ServiceUnavailable',
  'SlowDown',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'OperationAborted',
  'ConditionalRequestConflict',
]);

export function isMissing(error: unknown): boolean {
  return (
    error instanceof S3ServiceException &&
    (error.name === 'NoSuchKey' || error.name === 'NotFound' || error.name === 'NoSuchUpload')
  );
}

/** S3's answer in a sentence, without URL and signature. */
export function translate(what: string, error: unknown): Error {
  if (error instanceof StoreUnavailable || error instanceof ObjectNotFound) return error;
  if (isMissing(error)) return new ObjectNotFound(what, { cause: error });
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new StoreUnavailable(`S3 could not ${what}: ${reason}`, {
    cause: error,
    mayPass: isTransient(error),
  });
}
