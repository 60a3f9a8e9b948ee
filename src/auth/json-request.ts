import { traceHeaders } from '../trace-context.ts';
import { IdentityUnavailable } from './identity.ts';

/** No dependency of access control may make a client wait longer. */
const TIMEOUT_MS = 5000;
const MAX_BODY_BYTES = 256 * 1024;

export interface JsonAnswer {
  readonly status: number;
  /** Undefined: it is no JSON. */
  readonly body: unknown;
}

/**
 * One request to a dependency, its answer bounded in time and size, redirects not followed, since credentials go with it.
 * @param setting the variable that names the dependency, for errors
 * @throws IdentityUnavailable when there is no answer, or one of 5xx, 429, or a redirect
 */
export async function requestJson(
  setting: string,
  url: URL,
  init: Omit<RequestInit, 'signal' | 'redirect'> = {},
  timeoutMs = TIMEOUT_MS,
): Promise<JsonAnswer> {
  const begin = performance.now();
  let isAnswered = false;
  try {
    const answer = await send(setting, url, init, timeoutMs);
    isAnswered = true;
    return answer;
  } finally {
    const seconds = (performance.now() - begin) / 1000;
    for (const tell of observers) tell(setting, isAnswered, seconds);
  }
}

/** Told of each request: the variable that names the dependency, and whether it answered. */
export type RequestObserver = (setting: string, isAnswered: boolean, seconds: number) => void;

const observers = new Set<RequestObserver>();

/** @returns what ends the observation */
export function observeDependencies(observer: RequestObserver): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

async function send(
  setting: string,
  url: URL,
  init: Omit<RequestInit, 'signal' | 'redirect'>,
  timeoutMs: number,
): Promise<JsonAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(traceHeaders())) headers.set(name, value);
  try {
    const response = await fetch(url, { ...init, headers, signal, redirect: 'manual' });
    const text = await readText(response);
    const { status } = response;
    if (status >= 500 || status === 429 || (status >= 300 && status < 400)) {
      throw new IdentityUnavailable(setting, `it answers with status ${status}`);
    }
    return { status, body: parseJson(text) };
  } catch (error) {
    if (error instanceof IdentityUnavailable) throw error;
    // What fetch throws can name the URL, and with it a token.
    const problem = signal.aborted
      ? `no answer within ${timeoutMs} ms`
      : `no answer (${codeOf(error)})`;
    throw new IdentityUnavailable(setting, problem);
  }
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.byteLength;
    if (size > MAX_BODY_BYTES) throw Object.assign(new Error('too long'), { code: 'TOO_LONG' });
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string')
    return cause.code;
  return 'the connection failed';
}
