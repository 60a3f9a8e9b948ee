import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { DeliveryError } from '../../src/events/sink.ts';
import { SnsSink, type SnsSinkOptions } from '../../src/events/sns-sink.ts';
import { makeCertificate } from '../support/certificates.ts';
import { registryEvent } from '../support/registry-events.ts';
import { SNS_CREDENTIALS, type SnsEmulator, startSns } from '../support/sns-topics.ts';
import { repositoryOf, tagOf } from '../support/vocabulary.ts';

const NEVER = new AbortController().signal;
const REGISTRY = 'pierone.example.org';

let sns: SnsEmulator;
const sinks: SnsSink[] = [];
const servers: Server[] = [];

beforeAll(async () => {
  sns = await startSns();
});

beforeEach(() => {
  for (const [name, value] of Object.entries(SNS_CREDENTIALS)) vi.stubEnv(name, value);
  return () => vi.unstubAllEnvs();
});

afterAll(async () => {
  for (const sink of sinks) sink.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await sns?.close();
});

function openSink(topicArn: string, options: Partial<SnsSinkOptions> = {}): SnsSink {
  const { region, url: endpoint } = sns;
  const sink = new SnsSink({ topicArn, region, endpoint, registry: REGISTRY, ...options });
  sinks.push(sink);
  return sink;
}

function eventOf(repository: string, tag: string) {
  const id = randomUUID();
  return registryEvent({ id, repository: repositoryOf(repository), tag: tagOf(tag) });
}

/** What a delivery to a topic that can't have it says. */
async function failureOf(sink: SnsSink, signal = NEVER): Promise<string> {
  const error: unknown = await sink
    .deliver(eventOf('acme/app', '1'), signal)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DeliveryError);
  return error instanceof Error ? error.message : '';
}

test('a new tag reaches a queue that subscribes, as the message of the original, with attributes', async () => {
  const topic = await sns.createTopic('pierone');
  await openSink(topic.arn).deliver(eventOf('acme/shop/frontend', '1.0'), NEVER);
  expect(await topic.take(1)).toEqual([
    {
      message:
        '{"registry":"pierone.example.org","team":"acme","image":"shop/frontend","tag":"1.0"}',
      attributes: {
        team: { Type: 'String', Value: 'acme' },
        artifact: { Type: 'String', Value: 'shop/frontend' },
        event: { Type: 'String', Value: 'created' },
      },
      group: undefined,
      deduplicationId: undefined,
    },
  ]);
});

test('a FIFO topic has the messages of a repository in one group, in their order, each once', async () => {
  const topic = await sns.createTopic('pierone.fifo');
  const sink = openSink(topic.arn);
  const long = `acme/${'a'.repeat(200)}`;
  const events = ['1', '2', '3'].map((tag) => eventOf('acme/app', tag));
  for (const event of [...events, ...events]) await sink.deliver(event, NEVER);
  await sink.deliver(eventOf(long, '1'), NEVER);
  const taken = await topic.take(4);
  const ofApp = taken.filter(({ group }) => group === 'acme/app');
  expect(ofApp.map(({ message }) => JSON.parse(message))).toMatchObject(
    ['1', '2', '3'].map((tag) => ({ team: 'acme', image: 'app', tag })),
  );
  expect(ofApp.map(({ deduplicationId }) => deduplicationId)).toEqual(events.map(({ id }) => id));
  expect(taken.map(({ group }) => group)).toContainEqual(expect.stringMatching(/^[0-9a-f]{64}$/));
});

test('nothing but new tags is accepted', () => {
  const sink = openSink('arn:aws:sns:eu-central-1:000000000000:pierone');
  const repository = repositoryOf('acme/app');
  const kinds = ['created', 'replaced', 'refused', 'denied', 'login-refused'] as const;
  expect(kinds.filter((kind) => sink.accepts({ kind, repository }))).toEqual(['created']);
});

describe('a delivery that fails says what to do', () => {
  const ARN = 'arn:aws:sns:eu-central-1:000000000000:nothing';

  test('where there is no such topic', async () => {
    expect(await failureOf(openSink(ARN))).toMatch(/^there is no topic arn:.*API_SNS_TOPIC_ARN/);
  });

  test('where there are no credentials', async () => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) {
      vi.stubEnv(name, '/nowhere');
    }
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    expect(await failureOf(openSink(ARN))).toMatch(/^there are no AWS credentials: set AWS_ACCESS/);
  });

  test('where nobody listens, and where nothing speaks SNS', async () => {
    const endpoint = await listen(createServer((_, response) => response.end('<html>Hello')));
    expect(await failureOf(openSink(ARN, { endpoint }))).toMatch(/API_SNS_ENDPOINT/);
    const nobody = await listen(createServer());
    servers.pop()?.close();
    expect(await failureOf(openSink(ARN, { endpoint: nobody }))).toMatch(/ECONNREFUSED/);
  });

  test('where the certificate is nobody’s', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pierone-test-'));
    const [cert = '', key = ''] = ['cert.pem', 'key.pem'].map((name) => join(folder, name));
    await makeCertificate(cert, key);
    const files = { cert: await readFile(cert), key: await readFile(key) };
    await rm(folder, { recursive: true });
    const endpoint = await listen(createTlsServer(files), 'https');
    expect(await failureOf(openSink(ARN, { endpoint }))).toMatch(/NODE_EXTRA_CA_CERTS/);
  });

  test.each([
    [403, 'AuthorizationError', /^publishing is not allowed: give .*sns:Publish on arn:/],
    [403, 'InvalidClientTokenId', /^AWS does not know the access key/],
    [403, 'SignatureDoesNotMatch', /AWS_SECRET_ACCESS_KEY.*API_SNS_REGION/],
    [403, 'ExpiredToken', /^the session token has expired/],
    [400, 'InvalidParameter', /region eu-central-1 does not take/],
    [400, 'KMSAccessDenied', /kms:GenerateDataKey/],
    [400, 'KMSDisabled', /^SNS refuses the message \(KMSDisabled\w*, status 400\)$/],
  ])('where SNS answers %i %s, without what else it says', async (status, code, expected) => {
    const endpoint = await listen(
      createServer((_, response) => {
        response.writeHead(status, { 'content-type': 'text/xml' });
        response.end(
          `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>not by AKIAIOSFODNN7EXAMPLE</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
        );
      }),
    );
    const message = await failureOf(openSink(ARN, { endpoint }));
    expect(message).toMatch(expected);
    expect(message).not.toContain('AKIA');
  });

  test('where SNS answers 500, after one more attempt', async () => {
    let count = 0;
    const endpoint = await listen(
      createServer((_, response) => {
        count += 1;
        response.writeHead(500).end();
      }),
    );
    expect(await failureOf(openSink(ARN, { endpoint }))).toMatch(/SNS|status 500/);
    expect(count).toBe(2);
  });

  test('where there is no answer, and where the delivery is ended', async () => {
    const endpoint = await listen(createServer(() => undefined));
    expect(await failureOf(openSink(ARN, { endpoint, timeoutMs: 200 }))).toMatch(/in time/);
    expect(await failureOf(openSink(ARN, { endpoint }), AbortSignal.timeout(200))).toMatch(
      /in time/,
    );
  });
});

async function listen(server: Server, scheme = 'http'): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  return `${scheme}://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}
