import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { newSegmentKey } from '../src/storage/keys.ts';
import { openBucket } from '../src/storage/s3/s3-bucket.ts';
import type { S3Location } from '../src/storage/s3/s3-location.ts';
import { S3Writer } from '../src/storage/s3/s3-writer.ts';
import { MIB } from './blob.ts';
import { readOptions } from './options.ts';
import { peakMemoryMib } from './process-usage.ts';
import { ensurePrograms } from './programs.ts';
import { startRgw } from './services.ts';
import { median, printTable } from './statistics.ts';

/*
 * What a segment costs that our own writer sends to S3, and one that lib-storage's Upload sends: the same parts, so many
 * at a time, from buffers of 1 MiB. Each run is a process of its own, for its peak of memory.
 */

const WRITERS = ['ours', 'lib-storage'] as const;
type WriterName = (typeof WRITERS)[number];

const PART_BYTES = 8 * MIB;
const PARTS_AT_ONCE = 4;

const options = readOptions({ 'size-mib': '512', objects: '3', runs: '3', child: '' });
const sizeMib = options.count('size-mib');
const objects = options.count('objects');
const child = options.text('child');
if (child) await write(child === 'ours' ? 'ours' : 'lib-storage');
else await compare();

async function compare(): Promise<void> {
  ensurePrograms('s3');
  const rgw = await startRgw({ store: 'disk', sizeBytes: 32 * 1024 ** 3 });
  const results = new Map<WriterName, number[][]>(WRITERS.map((name) => [name, []]));
  try {
    for (let run = 0; run < options.count('runs'); run += 1) {
      for (const name of WRITERS) {
        const environment = {
          ...process.env,
          AWS_ACCESS_KEY_ID: rgw.accessKey,
          AWS_SECRET_ACCESS_KEY: rgw.secretKey,
          S3: rgw.endpoint,
        };
        const forked = fork(
          fileURLToPath(import.meta.url),
          ['--child', name, '--size-mib', String(sizeMib), '--objects', String(objects)],
          { env: environment },
        );
        const [result]: unknown[] = await once(forked, 'message');
        if (!Array.isArray(result)) throw new Error('the child sent no result');
        results.get(name)?.push(result.map(Number));
        await once(forked, 'exit');
      }
    }
  } finally {
    await rgw.stop();
  }
  printTable(
    ['writer', 'MB/s, median', 'CPU s per GiB', 'peak MiB'],
    WRITERS.map((name) => [name, ...[0, 1, 2].map((i) => column(results.get(name) ?? [], i))]),
  );
}

function column(rows: readonly number[][], index: number): string {
  return median(rows.map((row) => row[index] ?? Number.NaN)).toFixed(index === 1 ? 2 : 0);
}

/** In the child: some objects at the same time. */
async function write(name: WriterName): Promise<void> {
  const location: S3Location = {
    kind: 's3',
    bucket: `writers-${name}-${process.pid}`,
    prefix: '',
    endpoint: process.env['S3'],
    region: 'us-east-1',
    forcePathStyle: true,
    partBytes: PART_BYTES,
    checksum: 'none',
    signPayload: false,
    encryption: undefined,
    storageClass: undefined,
  };
  const bucket = openBucket(location);
  await bucket.client.send(new CreateBucketCommand({ Bucket: location.bucket }));
  const writeOne = name === 'ours' ? writeOurs : writeByUpload;
  const cpu = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: objects }, () => writeOne(bucket)));
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const gib = (objects * sizeMib) / 1024;
  process.send?.([
    (objects * sizeMib * MIB) / 1e6 / seconds,
    (user + system) / 1e6 / gib,
    peakMemoryMib(process.pid),
  ]);
  process.disconnect();
}

/** From buffers that are used again when S3 has their bytes, as the HTTP thread does. */
async function writeOurs(bucket: ReturnType<typeof openBucket>): Promise<void> {
  const free = Array.from({ length: (PARTS_AT_ONCE * PART_BYTES) / MIB }, () => randomBytes(MIB));
  let wake = () => {};
  const writer = new S3Writer(bucket, newSegmentKey(), () => undefined);
  for (let sent = 0; sent < sizeMib; sent += 1) {
    while (free.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const buffer = free.pop() ?? randomBytes(MIB);
    await writer.write(buffer, () => {
      free.push(buffer);
      wake();
    });
  }
  await writer.close();
}

async function writeByUpload(bucket: ReturnType<typeof openBucket>): Promise<void> {
  // lib-storage doesn't tell when it has done with a buffer: it gets one that is never used again.
  const body = Readable.from(buffers(), { objectMode: false });
  const params = { ...bucket.object(newSegmentKey()), Body: body };
  const { client } = bucket;
  await new Upload({ client, params, partSize: PART_BYTES, queueSize: PARTS_AT_ONCE }).done();
}

function* buffers(): Generator<Buffer> {
  for (let sent = 0; sent < sizeMib; sent += 1) yield Buffer.allocUnsafeSlow(MIB).fill(sent);
}
