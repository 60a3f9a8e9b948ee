import type { RegistryEvent, RegistryEventKind } from '../oci/registry-event.ts';
import { teamOf } from '../oci/repository-name.ts';
import { CLOUD_EVENT_TYPE, cloudEvent } from './cloud-event.ts';
import { DISTRIBUTION_TYPE, distributionNotification } from './distribution-notification.ts';
import type { Sink } from './sink.ts';
import { WebhookEndpoint } from './webhook-endpoint.ts';
import { signatureHeaders } from './webhook-signature.ts';

/** What an operator says of a webhook, with its secrets. */
export interface Webhook {
  readonly name: string;
  readonly url: URL;
  readonly format: 'cloudevents' | 'distribution';
  /** Undefined: all. */
  readonly teams: ReadonlySet<string> | undefined;
  readonly kinds: ReadonlySet<RegistryEventKind>;
  /** Each signs. None: calls aren't signed. */
  readonly keys: readonly Buffer[];
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** PEM certificates of the only authorities that are trusted; undefined: those of Node.js. */
  readonly ca: string | undefined;
}

export interface WebhookSinkOptions {
  /** The registry's origin, where it is known. */
  readonly externalUrl: string | undefined;
  /** Deliveries that come at the same time, at most. */
  readonly concurrency: number;
}

/** What stands for the registry in events as long as nothing says its URL. */
const UNKNOWN_SOURCE = 'pierone';

/** Posts events to a receiver that an operator named. */
export class WebhookSink implements Sink {
  readonly name: string;
  readonly description: string;
  readonly #webhook: Webhook;
  readonly #externalUrl: string | undefined;
  readonly #endpoint: WebhookEndpoint;

  constructor(webhook: Webhook, { externalUrl, concurrency }: WebhookSinkOptions) {
    this.name = `webhook:${webhook.name}`;
    // Paths of webhooks are secrets with some.
    this.description = `webhook at ${webhook.url.origin}, format ${webhook.format}`;
    this.#webhook = webhook;
    this.#externalUrl = externalUrl;
    const { url, timeoutMs, ca } = webhook;
    this.#endpoint = new WebhookEndpoint({ url, timeoutMs, ca, maxSockets: concurrency });
  }

  accepts({ kind, repository }: Pick<RegistryEvent, 'kind' | 'repository'>): boolean {
    const { teams, kinds } = this.#webhook;
    if (!kinds.has(kind)) return false;
    return teams === undefined || (repository !== undefined && teams.has(teamOf(repository)));
  }

  async deliver(event: RegistryEvent, signal: AbortSignal): Promise<void> {
    const { headers, keys } = this.#webhook;
    const { type, body } = this.#render(event);
    const call = {
      'user-agent': 'pierone',
      ...headers,
      'content-type': type,
      ...signatureHeaders(event.id, body, keys, new Date()),
    };
    await this.#endpoint.post({ headers: call, body }, signal);
  }

  close(): void {
    this.#endpoint.close();
  }

  #render(event: RegistryEvent): { type: string; body: string } {
    switch (this.#webhook.format) {
      case 'cloudevents':
        return {
          type: CLOUD_EVENT_TYPE,
          body: cloudEvent(event, this.#externalUrl ?? UNKNOWN_SOURCE),
        };
      case 'distribution':
        return {
          type: DISTRIBUTION_TYPE,
          body: distributionNotification(event, this.#externalUrl),
        };
    }
  }
}
