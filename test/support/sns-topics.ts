import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { buildApp } from 'fauxqs';
import { present } from './vocabulary.ts';

const REGION = 'eu-central-1';
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

/** For processes that publish: the emulator takes any credentials. */
export const SNS_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
};

/** A message of a topic, as a queue that subscribes to it has it. */
export interface PublishedMessage {
  readonly message: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Of a FIFO topic. */
  readonly group: string | undefined;
  readonly deduplicationId: string | undefined;
}

export interface SnsTopic {
  readonly arn: string;
  /** Waits for so many, and takes them out of the queue that subscribes. Fewer when no more come for a while. */
  take(count: number): Promise<PublishedMessage[]>;
}

/** SNS and SQS, on a free port of 127.0.0.1. */
export interface SnsEmulator {
  readonly url: string;
  readonly region: string;
  createTopic(name: string): Promise<SnsTopic>;
  close(): Promise<void>;
}

/** Its own `startFauxqs` would listen on all addresses. */
export async function startSns(): Promise<SnsEmulator> {
  const app = buildApp({ logger: false, defaultRegion: REGION });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const options = { endpoint: url, region: REGION, credentials: CREDENTIALS };
  const sns = new SNSClient(options);
  const sqs = new SQSClient({ ...options, useQueueUrlAsEndpoint: false });
  return {
    url,
    region: REGION,
    createTopic: (name) => createTopic(sns, sqs, name),
    async close() {
      sns.destroy();
      sqs.destroy();
      await app.close();
    },
  };
}

async function createTopic(sns: SNSClient, sqs: SQSClient, name: string): Promise<SnsTopic> {
  const isFifo = name.endsWith('.fifo');
  const { TopicArn } = await sns.send(
    new CreateTopicCommand({ Name: name, ...(isFifo && { Attributes: { FifoTopic: 'true' } }) }),
  );
  const { QueueUrl } = await sqs.send(
    new CreateQueueCommand({
      QueueName: name,
      ...(isFifo && { Attributes: { FifoQueue: 'true' } }),
    }),
  );
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }),
  );
  const Endpoint = Attributes?.['QueueArn'];
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint }));
  return {
    arn: present(TopicArn, 'the ARN of the topic'),
    take: (count) => take(sqs, present(QueueUrl, 'the URL of the queue'), count),
  };
}

async function take(sqs: SQSClient, QueueUrl: string, count: number) {
  const taken: PublishedMessage[] = [];
  while (taken.length < count) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 20,
        MessageSystemAttributeNames: ['All'],
      }),
    );
    if (Messages.length === 0) break;
    for (const message of Messages) {
      const { ReceiptHandle } = message;
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      taken.push(toPublished(message));
    }
  }
  return taken;
}

/** SQS wraps what SNS sends in JSON. */
function toPublished({ Body = '', Attributes }: Message): PublishedMessage {
  const envelope: { Message?: unknown; MessageAttributes?: unknown } = JSON.parse(Body);
  return {
    message: String(envelope.Message),
    attributes: { ...Object(envelope.MessageAttributes) },
    group: Attributes?.MessageGroupId,
    deduplicationId: Attributes?.MessageDeduplicationId,
  };
}
