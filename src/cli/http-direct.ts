import { type Agent, type ClientRequest, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HttpAnswer, HttpRequest, Send } from './http.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

/** No answer, or no more of it, for too long. */
export class IdleError extends Error {
  override readonly name = 'IdleError';
}

export const sendDirectly: Send = (request, ca) => sendBy(undefined, request, ca);

/** @param agent makes the connections, where they aren't those of Node.js */
export function sendBy(
  agent: Agent | undefined,
  { method = 'GET', url, headers = {}, body, idleTimeoutMs = IDLE_TIMEOUT_MS }: HttpRequest,
  ca: readonly string[] | undefined,
): Promise<HttpAnswer> {
  const options = { method, headers, timeout: idleTimeoutMs, ...(agent && { agent }) };
  return new Promise((resolve, reject) => {
    const sent =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, ...(ca ? { ca: [...ca] } : {}) })
        : requestHttp(url, options);
    limitConnecting(sent);
    sent
      .on('timeout', () => sent.destroy(new IdleError('no answer in time')))
      .on('error', reject)
      .on('response', (answer) => {
        const { statusCode = 0 } = answer;
        // After the answer began, it is its body that fails.
        sent.off('error', reject).on('error', (error) => answer.destroy(error));
        const cancel = () => void answer.destroy();
        resolve({ status: statusCode, headers: answer.headers, body: answer, cancel });
      });
    sent.end(body);
  });
}

function limitConnecting(sent: ClientRequest): void {
  sent.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => {
      sent.destroy(new IdleError('no connection in time'));
    }, CONNECT_TIMEOUT_MS);
    socket.once('connect', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
  });
}
