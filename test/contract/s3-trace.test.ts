import { afterEach, beforeEach, expect, test } from 'vitest';
import { newSegmentKey } from '../../src/storage/keys.ts';
import { openS3Store } from '../../src/storage/s3/s3-store.ts';
import { observeStore } from '../../src/storage/store-requests.ts';
import { inTrace, readTraceContext } from '../../src/trace-context.ts';
import { readObject } from '../support/objects.ts';
import { refusal, type ScriptedS3, startScriptedS3 } from '../support/scripted-s3.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

let s3: ScriptedS3;

beforeEach(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'someone', AWS_SECRET_ACCESS_KEY: 'secret' });
  s3 = await startScriptedS3();
  s3.answerWith(refusal('404 Not Found', 'NoSuchKey'));
});

afterEach(() => s3.close());

/** Reads what isn't there: first on a socket of ours, then by the SDK. */
async function readInVain(): Promise<void> {
  const store = openS3Store({
    kind: 's3',
    bucket: 'bucket',
    prefix: '',
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    partBytes: 5 * 1024 * 1024,
    checksum: 'none',
    signPayload: false,
    encryption: undefined,
    storageClass: undefined,
  });
  await expect(readObject(store, newSegmentKey(), 0, 5)).rejects.toThrow('no object');
  expect(s3.requests.map(({ isBySdk }) => isBySdk)).toEqual([false, true]);
}

test('requests to S3 are in the trace of whom they are for, and the signature does not cover that', async () => {
  const trace = readTraceContext((name) => (name === 'traceparent' ? TRACEPARENT : undefined));
  await inTrace(trace, readInVain);
  for (const { head } of s3.requests) {
    expect(head).toMatch(new RegExp(`\r\ntraceparent: ${TRACEPARENT}(\r\n|$)`, 'i'));
    expect(head).not.toMatch(/SignedHeaders=[^&,\s]*traceparent/i);
  }
});

test('without a trace they name none', async () => {
  await readInVain();
  for (const { head } of s3.requests) expect(head).not.toMatch(/trace(parent|state)/i);
});

test('whoever observes them is told of each', async () => {
  const told: string[][] = [];
  const stop = observeStore((operation, outcome) => told.push([operation, outcome]));
  await readInVain();
  stop();
  expect(told).toEqual([
    ['GetObject', 'refused'],
    ['GetObject', 'missing'],
  ]);
});
