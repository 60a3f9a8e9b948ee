import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Answer } from './exchange.ts';

/** What an answer says of its connection. Undefined: nothing, since the client or uWebSockets.js says that it ends. */
export type ConnectionHeader = readonly ['Connection' | 'Keep-Alive', string] | undefined;

/** Said, not done: closing a connection with unread bytes takes the answer with it. The client closes it. */
export const CLOSE: ConnectionHeader = ['Connection', 'close'];
/** uWebSockets.js closes idle connections after 10 s or a little more; clients that know don't run into it. */
export const KEEP_ALIVE: ConnectionHeader = ['Keep-Alive', 'timeout=10'];

/** Of answers that are sent again and again, with KEEP_ALIVE. */
const fixedHeads = new WeakMap<Answer, Uint8Array>();

/**
 * Writes status and headers, but Content-Length. As a status that goes on over the lines of the headers, since a call of
 * uWebSockets.js for each costs as much as all the rest of a small answer.
 */
export function writeHead(
  response: HttpResponse,
  answer: Answer,
  connection: ConnectionHeader,
): void {
  response.writeStatus(headOf(answer, connection));
}

function headOf(answer: Answer, connection: ConnectionHeader): string | Uint8Array {
  if (!answer.isFixed || connection !== KEEP_ALIVE) return join(answer, connection);
  const known = fixedHeads.get(answer);
  if (known) return known;
  const head = Buffer.from(join(answer, connection));
  fixedHeads.set(answer, head);
  return head;
}

function join({ status, headers }: Answer, connection: ConnectionHeader): string {
  let text = `${status} ${STATUS_CODES[status] ?? ''}`;
  const add = (name: string, value: string) => {
    text += `\r\n${name}: ${value}`;
  };
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'Content-Length') continue;
    if (typeof value === 'string') add(name, value);
    else for (const line of value) add(name, line);
  }
  if (connection) add(...connection);
  return text;
}
