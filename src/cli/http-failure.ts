import { ConnectionError } from './errors.ts';

/** What OpenSSL, by way of Node.js, says of a certificate whose authority it doesn't know. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/**
 * A request that got no answer, or not all of it, in a sentence.
 * @param proxy by which it may have gone
 */
export function explainFailure(error: unknown, url: URL, proxy?: URL): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const code = codeOf(error);
  const sentence =
    proxy && isAbout(error, proxy)
      ? `The proxy ${proxy.host} can't be reached (${code}): check HTTPS_PROXY, HTTP_PROXY and NO_PROXY.`
      : sentenceFor(code, error, url);
  return new ConnectionError(sentence, { cause: error });
}

/** Whether the connection that failed is one to this host: Node.js writes it into the error. */
function isAbout(error: unknown, { hostname, port }: URL): boolean {
  const [cause] = error instanceof AggregateError ? error.errors : [error];
  if (!(cause instanceof Error)) return false;
  if ('port' in cause && 'address' in cause) return String(cause.port) === (port || '80');
  return 'hostname' in cause && cause.hostname === hostname;
}

export function isUnknownAuthority(error: unknown): boolean {
  return UNKNOWN_AUTHORITY.has(codeOf(error));
}

function sentenceFor(code: string, error: unknown, { host, hostname, protocol }: URL): string {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `The certificate of ${host} is not from an authority that is trusted here: give the authority's PEM file by --ca-file or PIERONE_CA_FILE.`;
  }
  if (code === 'ETIMEDOUT' || (error instanceof Error && error.name === 'IdleError')) {
    return `${host} does not answer: check the URL, your network and its proxies, or try again later.`;
  }
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host ${hostname} can't be found: check the URL, and your network.`;
    case 'ECONNREFUSED':
      return `Nothing listens at ${host}: check the URL, and that Pier One runs there.`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `There is no way to ${host}: check the URL, and your network.`;
    case 'CERT_HAS_EXPIRED':
      return `The certificate of ${host} has expired: whoever runs it must renew it.`;
    case 'CERT_NOT_YET_VALID':
      return `The certificate of ${host} is not valid yet: check the clock of this machine.`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `The certificate of ${host} is for another name: check the URL.`;
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return `${host} does not speak TLS as it should: check the URL; without TLS it begins with http://.`;
    default:
      return interrupted(error, host, protocol);
  }
}

function interrupted(error: unknown, host: string, protocol: string): string {
  const reason = error instanceof Error ? error.message : String(error);
  const advice = protocol === 'http:' ? 'check whether its URL begins with https://, or' : 'please';
  return `The connection to ${host} broke (${reason}): ${advice} try again.`;
}

/** Of the error, or of the last one of several addresses, or of its cause. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return codeOf(error.errors.at(-1));
  return codeOf(error.cause);
}
