import { NoAnswer, parseJson, requestService } from '../service-request.ts';
import { IdentityUnavailable } from './identity.ts';

/** No dependency of access control may make a client wait longer. */
const TIMEOUT_MS = 5000;

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
  const { status, text } = await requestService(url, { ...init, timeoutMs }).catch(
    (error: unknown) => {
      throw error instanceof NoAnswer ? new IdentityUnavailable(setting, error.message) : error;
    },
  );
  if (status >= 500 || status === 429 || (status >= 300 && status < 400)) {
    throw new IdentityUnavailable(setting, `it answers with status ${status}`);
  }
  return { status, body: parseJson(text) };
}
