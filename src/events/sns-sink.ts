import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import type { RegistryEvent } from '../oci/registry-event.ts';
import { isCreatedTag } from './created-tag.ts';
import { DeliveryError, type Sink } from './sink.ts';
import { fifoIds, snsAttributes, snsMessage } from './sns-message.ts';
import { snsProblem } from './sns-problem.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const TIMEOUT_MS = 10_000;
/** An attempt, and another one for a connection that broke; what comes then is the outbox's. */
const MAX_ATTEMPTS = 2;

/** Without it the SDK writes to the console. */
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

export interface SnsSinkOptions {
  readonly topicArn: string;
  readonly region: string;
  /** Undefined: that of AWS. */
  readonly endpoint: string | undefined;
  /** API_REPOSITORY */
  readonly registry: string | undefined;
  /** For one attempt. */
  readonly timeoutMs?: number;
}

/** Publishes each new tag to a topic of SNS. Credentials come from the SDK's own chain. */
export class SnsSink implements Sink {
  readonly name = 'sns';
  readonly description: string;
  readonly #options: SnsSinkOptions;
  readonly #client: SNSClient;

  constructor(options: SnsSinkOptions) {
    this.#options = options;
    this.description = `SNS topic ${options.topicArn}`;
    this.#client = openClient(options);
  }

  accepts({ kind, repository }: Pick<RegistryEvent, 'kind' | 'repository'>): boolean {
    return kind === 'created' && repository !== undefined;
  }

  async deliver(event: RegistryEvent, signal: AbortSignal): Promise<void> {
    if (!isCreatedTag(event)) return;
    const { topicArn, region, registry } = this.#options;
    const command = new PublishCommand({
      TopicArn: topicArn,
      Message: snsMessage(event, registry),
      MessageAttributes: snsAttributes(event),
      ...(topicArn.endsWith('.fifo') ? fifoIds(event) : {}),
    });
    try {
      await this.#client.send(command, { abortSignal: signal });
    } catch (error) {
      throw new DeliveryError(snsProblem(error, { arn: topicArn, region }));
    }
  }

  /** Publishes nothing. @throws DeliveryError when there are none */
  async findCredentials(): Promise<void> {
    try {
      await this.#client.config.credentials();
    } catch (error) {
      const { topicArn: arn, region } = this.#options;
      throw new DeliveryError(snsProblem(error, { arn, region }));
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

function openClient({ region, endpoint, timeoutMs = TIMEOUT_MS }: SnsSinkOptions): SNSClient {
  return new SNSClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    maxAttempts: MAX_ATTEMPTS,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true },
      httpsAgent: { keepAlive: true },
    },
  });
}
