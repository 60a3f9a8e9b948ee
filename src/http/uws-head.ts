import type { HttpResponse } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import type { Answer, AnswerHeaders } from './exchange.ts';

/** What an answer says of its connection. Undefined: nothing, since the client or uWebSockets.js says that it ends. */
export type ConnectionHeader = readonly ['Connection' | 'Keep-Alive', string] | undefined;

/** Said, not done: closing a connection with unread bytes takes the answer with it. The client closes it. */
export const CLOSE: ConnectionHeader = ['Connection', 'close'];
/** uWebSockets.js closes idle connections after 10 s or a little more; clients that know don't run into it. */
export const KEEP_ALIVE: ConnectionHeader = ['Keep-Alive', 'timeout=10'];

/** All lines behind the status, as if they were one header. */
interface Lines {
  readonly name: string;
  readonly value: string;
}

/** Of answers that are sent again and again, with KEEP_ALIVE. */
const fixedLines = new WeakMap<Answer, Lines>();

/**
 * Writes status and headers, but Content-Length. As one header whose value goes on over the lines of the others, since a
 * call of uWebSockets.js for each costs as much as all the rest of a small answer.
 */
export function writeHead(
  response: HttpResponse,
  answer: Answer,
  connection: ConnectionHeader,
): void {
  const { status } = answer;
  // It says 200 by itself.
  if (status !== 200) response.writeStatus(`${status} ${STATUS_CODES[status] ?? ''}`);
  const lines = linesOf(answer, connection);
  if (lines) response.writeHeader(lines.name, lines.value);
}

function linesOf(answer: Answer, connection: ConnectionHeader): Lines | undefined {
  if (!answer.isFixed || connection !== KEEP_ALIVE) return join(answer.headers, connection);
  const known = fixedLines.get(answer);
  if (known) return known;
  const lines = join(answer.headers, connection);
  if (lines) fixedLines.set(answer, lines);
  return lines;
}

function join(headers: AnswerHeaders, connection: ConnectionHeader): Lines | undefined {
  let first = '';
  let text = '';
  const add = (name: string, value: string) => {
    if (first === '') [first, text] = [name, value];
    else text += `\r\n${name}: ${value}`;
  };
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'Content-Length') continue;
    if (typeof value === 'string') add(name, value);
    else for (const line of value) add(name, line);
  }
  if (connection) add(...connection);
  return first === '' ? undefined : { name: first, value: text };
}
