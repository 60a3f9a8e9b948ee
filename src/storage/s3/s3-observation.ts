import { type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { traceHeaders } from '../../trace-context.ts';
import { noteStoreRequest, type StoreOutcome } from '../store-requests.ts';

/**
 * Times each request of the client, and sends it in the trace of whom it is for: behind the signature, since proxies
 * write into those headers.
 */
export function observeClient(client: S3Client): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        if (isRequest(args.request)) Object.assign(args.request.headers, traceHeaders());
        return timed(commandName.replace(/Command$/, ''), next(args));
      },
    { step: 'deserialize', name: 'observation', priority: 'high' },
  );
}

/** Notes how long an answer took, and which one it was; undefined: none that is of use. */
export async function timed<T>(operation: string, answer: Promise<T>): Promise<T> {
  const begin = performance.now();
  let outcome: StoreOutcome = 'ok';
  try {
    const given = await answer;
    if (given === undefined) outcome = 'refused';
    return given;
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    noteStoreRequest(operation, outcome, (performance.now() - begin) / 1000);
  }
}

function outcomeOf(error: unknown): StoreOutcome {
  if (error instanceof Error && error.name === 'AbortError') return 'given-up';
  if (!(error instanceof S3ServiceException)) return 'failed';
  const { httpStatusCode: status = 500 } = error.$metadata;
  if (status === 404) return 'missing';
  return status >= 500 || status === 429 ? 'failed' : 'refused';
}

function isRequest(value: unknown): value is { headers: Record<string, string> } {
  return typeof value === 'object' && value !== null && 'headers' in value;
}
