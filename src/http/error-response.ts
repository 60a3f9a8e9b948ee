import type { Log } from '../log.ts';
import { OciError } from '../oci/error.ts';
import { toOciError } from '../registry/translate-error.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Proxies } from './proxies.ts';
import { restHeaders } from './rest/rest-headers.ts';
import { isRegistryPath } from './routes.ts';

/** The only writer of errors: what was thrown becomes the answer, and a log line where the server is to blame. @returns what it is to clients */
export function sendError(
  exchange: Exchange,
  error: unknown,
  requestId: string,
  proxies: Proxies,
  log: Log,
): OciError {
  const ociError = toOciError(error);
  logError(exchange, ociError, { requestId, client: proxies.clientOf(exchange) }, log);
  exchange.send(
    isRegistryPath(exchange.path)
      ? errorAnswer(ociError, requestId)
      : restErrorAnswer(ociError, requestId, restHeaders(exchange, proxies)),
  );
  return ociError;
}

/** The body is the original's: `{message, details}`. */
function restErrorAnswer(
  error: OciError,
  requestId: string,
  headers: Readonly<Record<string, string>>,
): Answer {
  return {
    status: error.status,
    headers: {
      ...headers,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'X-Request-Id': requestId,
      ...error.headers,
    },
    body: JSON.stringify({ message: error.message, details: error.detail ?? null }),
  };
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
