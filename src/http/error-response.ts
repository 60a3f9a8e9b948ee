import type { Log } from '../log.ts';
import { OciError } from '../oci/error.ts';
import { toOciError } from '../registry/translate-error.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Client } from './proxies.ts';

/** The only writer of errors: what was thrown becomes the answer, and a log line where the server is to blame. @returns what it is to clients */
export function sendError(
  exchange: Exchange,
  error: unknown,
  requestId: string,
  client: Client,
  log: Log,
): OciError {
  const ociError = toOciError(error);
  logError(exchange, ociError, { requestId, client }, log);
  exchange.send(errorAnswer(ociError, requestId));
  return ociError;
}

/**
 * The body is the distribution spec's: `{"errors": [{code, message, detail}]}`; beside it what RFC 6749, section 5.2,
 * asks for, where the error has a name there.
 * @param requestId undefined: it never became a request
 */
export function errorAnswer(error: OciError, requestId?: string): Answer {
  const { code, message, detail, oauthError } = error;
  return {
    status: error.status,
    headers: {
      'Content-Type': 'application/json',
      'Docker-Distribution-Api-Version': 'registry/2.0',
      Vary: 'Authorization',
      'Cache-Control': 'no-store',
      ...(requestId === undefined ? {} : { 'X-Request-Id': requestId }),
      ...error.headers,
    },
    body: JSON.stringify({
      ...(oauthError === undefined ? {} : { error: oauthError, error_description: message }),
      errors: [{ code, message, ...(detail === undefined ? {} : { detail }) }],
    }),
  };
}

function logError(exchange: Exchange, error: OciError, about: object, log: Log): void {
  const { method, path } = exchange;
  const { code, status } = error;
  const line = { ...about, method, path, status, code };
  if (status >= 500) log.error({ ...line, err: error.cause ?? error }, error.message);
  else if (!exchange.isOpen) log.debug(line, 'the client went away');
  else log.debug(line, error.message);
}
