import { STATUS_CODES } from 'node:http';
import { type Refusal, refusalAnswer } from './refusal.ts';

/**
 * The answer, as it goes over the wire, to what the parser of node:http refuses. Undefined: nobody is there to read
 * one, as after a lost connection or a TLS handshake that failed.
 */
export function refusalText(code: string | undefined): string | undefined {
  const refusal = refusalOf(code);
  if (!refusal) return undefined;
  const { status, headers, body = '' } = refusalAnswer(refusal);
  const all = { ...headers, Connection: 'close', 'Content-Length': String(body.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${String(body)}`;
}

function refusalOf(code = ''): Refusal | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 'tooLong';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'tooLate';
  return code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE' ? 'malformed' : undefined;
}
