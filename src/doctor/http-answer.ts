import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

const TIMEOUT_MS = 5_000;
const MAX_TEXT_LENGTH = 64 * 1024;

export type HttpAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly text: string;
      /** By how much the clock of this machine is ahead of the other's; undefined: it doesn't tell the time. */
      readonly clockSkewMs: number | undefined;
    }
  | { readonly kind: 'none'; readonly reason: string };

/** One GET without credentials. Never throws. */
export function ask(url: URL, { trustsAll = false } = {}): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    const begin = Date.now();
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const fail = (error: NodeJS.ErrnoException) => {
      const reason = signal.aborted ? `no answer within ${TIMEOUT_MS} ms` : error.code;
      resolve({ kind: 'none', reason: reason ?? error.message });
    };
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, { signal, agent: false, rejectUnauthorized: !trustsAll });
    request.on('error', fail);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        if (text.length < MAX_TEXT_LENGTH) text += piece;
      });
      response.on('error', fail);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        const clockSkewMs = skewOf(headers.date, begin);
        resolve({ kind: 'answer', status, text, clockSkewMs });
      });
    });
    request.end();
  });
}

/** Dates have whole seconds, and an answer is from some time between the request and now. */
function skewOf(date: string | undefined, begin: number): number | undefined {
  const other = Date.parse(date ?? '');
  if (Number.isNaN(other)) return undefined;
  const now = Date.now();
  if (begin > other + 1000) return begin - other - 1000;
  return now < other ? now - other : 0;
}
