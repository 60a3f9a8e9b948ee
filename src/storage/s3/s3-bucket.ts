import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { OnReadOpts, Socket } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { ConnectionRate } from './connection-rate.ts';
import { PieceStream } from './s3-body.ts';
import { type S3Timeouts, TIMEOUTS } from './s3-call.ts';
import type { S3Location } from './s3-location.ts';
import { observeClient } from './s3-observation.ts';
import { S3SocketReader } from './s3-socket-reader.ts';

/** The value of x-amz-content-sha256 for a body that the signature doesn't cover. */
const UNSIGNED = 'UNSIGNED-PAYLOAD';
const CONNECT_TIMEOUT_MS = 5_000;
/** Each reader that streams holds one. */
const MAX_SOCKETS = 4096;

/** Without it, the SDK writes to the console about each stream that it doesn't repeat. */
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {}

/**
 * Without TLS, all sockets of a thread read into one buffer, from which the HTTP parser copies at once: half the CPU
 * of buffers of 64 KiB that are made for each read. Larger ones gain little, and each slow reader holds one or two.
 */
const READ_IN_LARGE_STEPS: OnReadOpts = {
  buffer: new Uint8Array(128 * 1024),
  callback(this: Socket, length: number, buffer: Uint8Array): boolean {
    this.emit('data', Buffer.from(buffer.buffer, 0, length));
    return true;
  },
};

/** A bucket with its client; every thread opens its own. */
export interface S3Bucket {
  readonly location: S3Location;
  readonly client: S3Client;
  /** Undefined over TLS. */
  readonly socketReader: S3SocketReader | undefined;
  readonly timeouts: S3Timeouts;
  readonly rate: ConnectionRate;
  /** Of every command on an object. */
  object(key: string): { readonly Bucket: string; readonly Key: string };
  /** The key as the rows know it. */
  keyOf(objectKey: string): string;
}

/** @param rate what is known of its connections */
export function openBucket(
  location: S3Location,
  timeouts = TIMEOUTS,
  rate = new ConnectionRate(),
): S3Bucket {
  const { bucket, prefix, endpoint } = location;
  const client = openClient(location, timeouts);
  const isPlain = endpoint !== undefined && new URL(endpoint).protocol === 'http:';
  return {
    location,
    client,
    socketReader: isPlain ? new S3SocketReader(client, timeouts.silenceMs) : undefined,
    timeouts,
    rate,
    object: (key) => ({ Bucket: bucket, Key: `${prefix}${key}` }),
    keyOf: (objectKey) => objectKey.slice(prefix.length),
  };
}

/** Credentials come from the SDK's own chain: environment, profile, web identity, container or instance. */
function openClient(location: S3Location, { silenceMs }: S3Timeouts): S3Client {
  const { endpoint, region, forcePathStyle, signPayload } = location;
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const client = new S3Client({
    region,
    forcePathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    // s3-call.ts repeats: it knows how long a request may wait in all.
    maxAttempts: 1,
    logger: SILENT,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would cost a round trip for each part, and a connection of its own.
    expectContinueHeader: false,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: silenceMs,
      httpAgent: new HttpAgent({ ...agent, onread: READ_IN_LARGE_STEPS }),
      httpsAgent: new HttpsAgent(agent),
    }),
  });
  client.middlewareStack.add(
    (next) => (args) => {
      setPayloadHash(args.request, signPayload);
      return next(args);
    },
    { step: 'build', name: 'payloadHash' },
  );
  observeClient(client);
  return client;
}

/** The SDK signs no stream's bytes by itself, and reads others a second time to sign them. */
function setPayloadHash(request: unknown, signPayload: boolean): void {
  if (!isRequest(request) || !(request.body instanceof PieceStream)) return;
  request.headers['x-amz-content-sha256'] = signPayload ? request.body.sha256() : UNSIGNED;
}

function isRequest(value: unknown): value is { headers: Record<string, string>; body?: unknown } {
  return typeof value === 'object' && value !== null && 'headers' in value;
}
