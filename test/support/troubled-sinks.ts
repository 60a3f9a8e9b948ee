import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { SNS_CREDENTIALS, type SnsEmulator } from './sns-topics.ts';
import {
  type Answer,
  type ReceiverFiles,
  startWebhookReceiver,
  type WebhookReceiver,
} from './webhook-receiver.ts';
import type { Workspace } from './workspace.ts';

/** An event as a sink had it. */
export interface TakenEvent {
  readonly id: string;
  readonly repository: string;
  readonly tag: string;
}

/** What a receiver is troubled by. */
export type Trouble = 'down' | 'untrusted' | 'failing' | 'silent';

export interface Certificates {
  readonly trusted: ReceiverFiles;
  readonly untrusted: ReceiverFiles;
}

interface SinkKind {
  /** What the outbox calls it. */
  readonly name: string;
  readonly read: (body: string, target: string) => TakenEvent;
  /** Does what the real one does with what it takes. */
  readonly keep: (
    request: IncomingMessage,
    body: string,
    response: ServerResponse,
  ) => Promise<void>;
}

/** A sink over TLS that keeps the order of what it took, and can be brought into trouble. */
export class TroubledSink {
  readonly taken: TakenEvent[] = [];
  readonly #kind: SinkKind;
  readonly #certificates: Certificates;
  readonly #port: number;
  #receiver: WebhookReceiver;
  #isRunning = true;
  readonly #held: ServerResponse[] = [];
  #most = Number.POSITIVE_INFINITY;

  private constructor(kind: SinkKind, certificates: Certificates, receiver: WebhookReceiver) {
    this.#kind = kind;
    this.#certificates = certificates;
    this.#receiver = receiver;
    this.#port = Number(new URL(receiver.url).port);
    receiver.answer(this.#take);
  }

  static async start(kind: SinkKind, certificates: Certificates): Promise<TroubledSink> {
    const receiver = await startWebhookReceiver({ files: certificates.trusted });
    return new TroubledSink(kind, certificates, receiver);
  }

  get name(): string {
    return this.#kind.name;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** How many deliveries wait for an answer that doesn't come. */
  get held(): number {
    return this.#held.length;
  }

  get ids(): ReadonlySet<string> {
    return new Set(this.taken.map(({ id }) => id));
  }

  /** Once it has taken so many it answers nothing any more. */
  holdAfter(count: number): void {
    this.#most = count;
  }

  async trouble(trouble: Trouble | undefined): Promise<void> {
    this.#most = Number.POSITIVE_INFINITY;
    await this.close();
    if (trouble === 'down') return;
    const { trusted, untrusted } = this.#certificates;
    const files = trouble === 'untrusted' ? untrusted : trusted;
    const answer = this.#answerTo(trouble);
    this.#receiver = await startWebhookReceiver({ port: this.#port, files, answer });
    this.#isRunning = true;
  }

  async close(): Promise<void> {
    if (this.#isRunning) await this.#receiver.close();
    this.#isRunning = false;
  }

  #answerTo(trouble: Trouble | undefined): Answer {
    if (trouble === 'failing') return (response) => response.writeHead(500).end();
    if (trouble === 'silent') return () => undefined;
    return this.#take;
  }

  readonly #take: Answer = (response, n, request) => {
    if (this.taken.length >= this.#most) {
      this.#held.push(response);
      return;
    }
    const { body = '', target = '' } = this.#receiver.calls[n] ?? {};
    const event = this.#kind.read(body, target);
    this.taken.push(event);
    this.#kind
      .keep(request, body, response)
      .catch((error: unknown) => response.destroy(Object(error)));
  };
}

const CLOUD_EVENT = z.object({
  id: z.string(),
  data: z.object({ repository: z.string(), tag: z.string() }),
});
const AUDIT_EVENT = z.object({
  payload: z.object({ tag: z.object({ team: z.string(), artifact: z.string(), tag: z.string() }) }),
});
const SNS_MESSAGE = z.object({ team: z.string(), image: z.string(), tag: z.string() });

export const WEBHOOK: SinkKind = {
  name: 'webhook:deploy',
  read: (body) => {
    const { id, data } = CLOUD_EVENT.parse(JSON.parse(body));
    return { id, ...data };
  },
  keep: async (_, __, response) => void response.writeHead(204).end(),
};

export const AUDIT: SinkKind = {
  name: 'audit',
  read: (body, target) => {
    const { team, artifact, tag } = AUDIT_EVENT.parse(JSON.parse(body)).payload.tag;
    const id = createHash('sha256').update(body).digest('hex');
    if (!target.endsWith(id)) throw new Error(`${target} isn't the digest of the event`);
    return { id, repository: `${team}/${artifact}`, tag };
  },
  keep: async (_, __, response) => void response.writeHead(201).end(),
};

/** In front of a real FIFO topic: each call goes on to it. */
export function snsFront(emulator: SnsEmulator): SinkKind {
  return {
    name: 'sns',
    read: (body) => {
      const fields = new URLSearchParams(body);
      const { team, image, tag } = SNS_MESSAGE.parse(JSON.parse(fields.get('Message') ?? ''));
      return {
        id: fields.get('MessageDeduplicationId') ?? '',
        repository: `${team}/${image}`,
        tag,
      };
    },
    keep: async ({ headers }, body, response) => {
      const { authorization = '', 'content-type': type = '' } = headers;
      const answer = await fetch(emulator.url, {
        method: 'POST',
        headers: { authorization, 'content-type': type },
        body,
      });
      response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(await answer.text());
    },
  };
}

/** The settings of a server that delivers to them all. */
export async function sinkSettings(
  workspace: Workspace,
  sinks: {
    readonly webhook: TroubledSink;
    readonly audit: TroubledSink;
    readonly sns: TroubledSink;
  },
  certificates: Certificates,
  topicArn: string,
): Promise<Readonly<Record<string, string>>> {
  const file = workspace.path('webhooks.json');
  const secrets = [`whsec_${Buffer.alloc(32, 7).toString('base64')}`];
  const webhook = { name: 'deploy', url: sinks.webhook.url, secrets, timeoutSeconds: 5 };
  await writeFile(file, JSON.stringify({ webhooks: [webhook] }));
  await writeFile(workspace.path('http-audit-logger-token-secret'), 'a-token');
  return {
    ...SNS_CREDENTIALS,
    NODE_EXTRA_CA_CERTS: certificates.trusted.certFile,
    OUTBOX_DELIVERY_TIMEOUT: '5',
    WEBHOOKS_FILE: file,
    API_REPOSITORY: 'pierone.example.org',
    API_SNS_TOPIC_ARN: topicArn,
    API_SNS_ENDPOINT: sinks.sns.url,
    HTTPLOGGER_API_URL: `${sinks.audit.url}/events`,
    CREDENTIALS_DIR: workspace.path('.'),
  };
}
