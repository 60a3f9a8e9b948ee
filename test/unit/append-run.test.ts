import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type BodyEnd, sourceOf } from '../../src/oci/byte-source.ts';
import { StoreUnavailable } from '../../src/storage/blob-store.ts';
import type { FeedLimit } from '../../src/workers/append-feed.ts';
import { AppendRun } from '../../src/workers/append-run.ts';
import { BUFFER_BYTES, BufferPool } from '../../src/workers/buffer-pool.ts';
import type { ClosedSegment } from '../../src/workers/ingest.ts';
import { PartBudget, PartCredit } from '../../src/workers/part-budget.ts';
import type { TaskResult } from '../../src/workers/protocol.ts';

const BODY = Buffer.from('hello');
const SEGMENT: ClosedSegment = {
  key: 'segments/1',
  sizeBytes: BODY.length,
  digest: undefined,
  state: undefined,
};
const FAILED = { kind: 'failed', reason: 'unavailable', message: 'S3 is away' } as const;
const PART_BYTES = 8 * BUFFER_BYTES;
/** Longer than a slow sender may keep memory that others wait for. */
const LONG_MS = 20_000;

/** A small body that has come, and whose storing takes as long as the test wants. */
function runSmall(pool: BufferPool, limit: FeedLimit) {
  const commits: ClosedSegment[] = [];
  const asked = { channels: 0, small: 0 };
  let tellStored: (result: TaskResult<ClosedSegment>) => void = () => {};
  const run = new AppendRun(
    {
      source: sourceOf(BODY),
      plan: { kind: 'whole', algorithm: 'sha256' },
      expectedBytes: undefined,
      commit: async (segment) => void commits.push(segment),
    },
    {
      append: () => {
        asked.channels += 1;
        return Promise.resolve();
      },
      storeSmall: () => {
        asked.small += 1;
        return new Promise((resolve) => {
          tellStored = resolve;
        });
      },
    },
    pool,
    limit,
  );
  const ended = run.end();
  return {
    feed: run.feed,
    commits,
    asked,
    isStoring: () => vi.waitFor(() => expect(asked.small).toBe(1)),
    async finish(): Promise<BodyEnd> {
      tellStored({ kind: 'done', value: SEGMENT });
      const end = await ended;
      run.close();
      return end;
    },
  };
}

describe('a small body that is being stored is sent no second time', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  test('when others wait for the memory of its part', async () => {
    const budget = new PartBudget(PART_BYTES, 0);
    const rule = { partBytes: PART_BYTES, maxBytes: PART_BYTES };
    const credit = new PartCredit(budget, rule, undefined);
    await credit.begin();
    const small = runSmall(new BufferPool(Infinity, 0), { credit });
    await small.isStoring();
    // What it can't use any more.
    expect(budget.grantedBytes).toBe(BODY.length);
    budget.request(PART_BYTES, { onGrant: () => {}, onRefusal: () => {} });
    vi.setSystemTime(Date.now() + LONG_MS);

    small.feed.check();

    expect(await small.finish()).toBe('complete');
    expect([small.asked.channels, small.commits]).toEqual([0, [SEGMENT]]);
  });

  test('when nothing came for a while', async () => {
    const small = runSmall(new BufferPool(PART_BYTES), { maxUnderWay: 8 });
    await small.isStoring();
    small.feed.check();
    small.feed.check();
    expect(await small.finish()).toBe('complete');
    expect([small.asked.channels, small.commits]).toEqual([0, [SEGMENT]]);
  });

  test('when buffers are short', async () => {
    const pool = new BufferPool(2 * BUFFER_BYTES);
    const small = runSmall(pool, { maxUnderWay: 8 });
    await small.isStoring();
    const last = pool.take();
    expect(pool.isShort).toBe(true);
    expect(await small.finish()).toBe('complete');
    expect([small.asked.channels, small.commits]).toEqual([0, [SEGMENT]]);
    pool.give(last);
    expect(pool.takenBytes).toBe(0);
  });
});

test('a worker that fails leaves no commit under way when the append is over', async () => {
  let endCommit: (() => void) | undefined;
  let isOver = false;
  const run = new AppendRun(
    {
      source: sourceOf(Buffer.alloc(BUFFER_BYTES)),
      plan: { kind: 'none' },
      expectedBytes: undefined,
      commit: () =>
        new Promise((resolve) => {
          endCommit = resolve;
        }),
    },
    {
      append: async (port) => {
        port.postMessage({ kind: 'started' });
        port.postMessage({ kind: 'segment', segment: SEGMENT });
        port.postMessage({ kind: 'ended', result: FAILED });
      },
      storeSmall: () => Promise.reject(new Error('it is not small')),
    },
    new BufferPool(PART_BYTES),
    { maxUnderWay: 8 },
  );
  const ended = run
    .end()
    .finally(() => {
      isOver = true;
    })
    .catch((error: unknown) => error);
  await vi.waitFor(() => expect(endCommit).toBeDefined());
  // What came with the segment is there by now.
  await nextTurn();
  await nextTurn();
  expect(isOver).toBe(false);
  endCommit?.();
  expect(await ended).toBeInstanceOf(StoreUnavailable);
  run.close();
});
