import { createHash } from 'node:crypto';
import type { RegistryEvent } from '../oci/registry-event.ts';
import { NoAnswer, requestService, type ServiceAnswer } from '../service-request.ts';
import { auditEvent } from './audit-event.ts';
import { connectionProblem } from './connection-problem.ts';
import { type CreatedTag, isCreatedTag } from './created-tag.ts';
import type { EventSources } from './event-source.ts';
import { retryAfterMs } from './retry-after.ts';
import type { ServiceToken } from './service-token.ts';
import { DeliveryError, type Sink } from './sink.ts';

const TIMEOUT_MS = 10_000;
/** Events whose delivery failed; each is a kilobyte or so. */
const MAX_KEPT_BODIES = 1000;

export interface AuditSinkOptions {
  /** HTTPLOGGER_API_URL: events are put below it. */
  readonly url: URL;
  /** API_REPOSITORY */
  readonly registry: string | undefined;
  readonly token: Pick<ServiceToken, 'get' | 'refuse'>;
  readonly sources: EventSources;
  readonly timeoutMs?: number;
}

/** Tells an audit service of each new tag: `PUT URL/SHA256-OF-THE-BODY`, so that what comes twice is kept once. */
export class AuditSink implements Sink {
  readonly name = 'audit';
  readonly description: string;
  readonly #options: AuditSinkOptions;
  /** By the event's id: what was sent once is what is sent again. */
  readonly #bodies = new Map<string, string>();

  constructor(options: AuditSinkOptions) {
    this.#options = options;
    this.description = `audit service at ${options.url.origin}`;
  }

  accepts({ kind, repository }: Pick<RegistryEvent, 'kind' | 'repository'>): boolean {
    return kind === 'created' && repository !== undefined;
  }

  async deliver(event: RegistryEvent, signal: AbortSignal): Promise<void> {
    if (!isCreatedTag(event)) return;
    const body = await this.#bodyOf(event, signal);
    const { token } = this.#options;
    const first = await token.get();
    let answer = await this.#put(body, first, signal);
    if (answer.status === 401) {
      token.refuse(first);
      answer = await this.#put(body, await token.get(), signal);
    }
    const { status, headers } = answer;
    if (status < 200 || status >= 300) {
      throw new DeliveryError(explainStatus(status), {
        retryAfterMs: retryAfterMs(headers.get('retry-after') ?? undefined, new Date()),
      });
    }
    this.#bodies.delete(event.id);
  }

  /** There is nothing to end: connections that nobody uses end by themselves. */
  close(): void {
    this.#bodies.clear();
  }

  async #bodyOf(event: CreatedTag, signal: AbortSignal): Promise<string> {
    const kept = this.#bodies.get(event.id);
    if (kept !== undefined) return kept;
    const { sources, registry } = this.#options;
    const body = auditEvent(event, await sources.of(event, signal), registry);
    const [oldest] = this.#bodies.keys();
    if (oldest !== undefined && this.#bodies.size >= MAX_KEPT_BODIES) this.#bodies.delete(oldest);
    this.#bodies.set(event.id, body);
    return body;
  }

  async #put(body: string, token: string, signal: AbortSignal): Promise<ServiceAnswer> {
    const { url: base, timeoutMs = TIMEOUT_MS } = this.#options;
    const url = new URL(base);
    const digest = createHash('sha256').update(body).digest('hex');
    url.pathname = `${base.pathname.replace(/\/+$/, '')}/${digest}`;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    try {
      return await requestService(url, { method: 'PUT', headers, body, timeoutMs, signal });
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const { code, message } = error;
      throw new DeliveryError(code === undefined ? message : connectionProblem(code));
    }
  }
}

function explainStatus(status: number): string {
  if (status === 401) {
    return 'it refuses the token of the registry (status 401), also a new one: are the credentials in CREDENTIALS_DIR right?';
  }
  if (status === 403) {
    return 'it does not let the registry write (status 403): give the user in CREDENTIALS_DIR the right to do that';
  }
  if (status === 404) return 'there is nothing (status 404): is HTTPLOGGER_API_URL right?';
  if (status >= 300 && status < 400) {
    return `it redirects (status ${status}), which is not followed: let HTTPLOGGER_API_URL be where it leads`;
  }
  return `it answers with status ${status}`;
}
