import { LRUCache } from 'lru-cache';
import type { Caller } from '../auth/access.ts';
import type { Metrics } from '../metrics.ts';
import type { RepositoryName } from '../oci/repository-name.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import type { ObservedExchange } from './observed-exchange.ts';
import type { Route } from './routes.ts';

const CACHE_BYTES = 16 * 1024 * 1024;
/** Larger answers cost more to send than to make. */
const MAX_BODY_BYTES = 64 * 1024;
/** What an answer takes besides its body. */
const ENTRY_BYTES = 1024;

/** What a request may say that asks for another answer than all of it. */
const CONDITIONS = ['if-none-match', 'if-match', 'range', 'if-range'];

interface KeptAnswer {
  /** Without a body it is for HEAD alone. */
  readonly answer: Answer;
  readonly route: Route['kind'];
  /** Whoever may pull from it may have the answer. Undefined: whoever is known. */
  readonly repository: RepositoryName | undefined;
}

/** Answers to GET and HEAD that can't change, by the path of the request, as they were given before. */
export class KeptAnswers {
  readonly #answers = new LRUCache<string, KeptAnswer>({
    maxSize: CACHE_BYTES,
    sizeCalculation: ({ answer }) => (answer.body?.length ?? 0) + ENTRY_BYTES,
  });

  find(method: string, path: string): KeptAnswer | undefined {
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    const kept = this.#answers.get(path);
    return kept?.answer.body !== undefined || method === 'HEAD' ? kept : undefined;
  }

  keep(path: string, kept: KeptAnswer): void {
    const { body } = kept.answer;
    if ((body?.length ?? 0) > MAX_BODY_BYTES) return;
    // The answer to a HEAD, where that to a GET is there.
    if (body === undefined && this.#answers.peek(path)?.answer.body !== undefined) return;
    // Bytes of a length that need not be counted.
    const bytes = typeof body === 'string' ? { body: Buffer.from(body) } : {};
    this.#answers.set(path, { ...kept, answer: { ...kept.answer, ...bytes, isFixed: true } });
  }
}

/** What is needed to give an answer again. */
interface Parts {
  readonly answers: KeptAnswers;
  readonly gate: Gate;
  readonly metrics: Pick<Metrics, 'downloadedBytes'>;
}

/** Answers a GET or HEAD, and has the same answer given again until the memory is needed for others. */
export function sendAndKeep(
  { exchange, parts }: { readonly exchange: Exchange; readonly parts: Pick<Parts, 'answers'> },
  route: Route['kind'],
  repository: RepositoryName | undefined,
  answer: Answer,
): void {
  exchange.send(answer);
  parts.answers.keep(exchange.path, { answer, route, repository });
}

/**
 * Answers at once what was answered before, to those who may have it.
 * @returns false when that isn't known here: then the handlers answer, or say why not
 */
export function giveKept(exchange: ObservedExchange, parts: Parts): boolean {
  const kept = parts.answers.find(exchange.method, exchange.path);
  if (!kept || hasConditions(exchange)) return false;
  const caller = parts.gate.knownCaller(exchange);
  if (!caller || !mayHave(caller, kept, parts)) return false;
  exchange.notes.route = kept.route;
  exchange.notes.uid = caller.principal.uid;
  exchange.send(kept.answer);
  if (kept.route === 'blob') parts.metrics.downloadedBytes.inc(exchange.sentBytes);
  return true;
}

function hasConditions(exchange: Exchange): boolean {
  for (const name of CONDITIONS) if (exchange.header(name) !== undefined) return true;
  return false;
}

function mayHave(caller: Caller, { repository }: KeptAnswer, { gate }: Parts): boolean {
  return repository === undefined ? gate.isKnown(caller) : gate.mayPull(caller, repository);
}
