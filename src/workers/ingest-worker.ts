import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../oci/digest.ts';
import { newSegmentKey } from '../storage/keys.ts';
import { openStore } from '../storage/open-store.ts';
import { createDigestEngine, loadDigests } from './digest-engine.ts';
import { Inbox } from './inbox.ts';
import type { ClosedSegment } from './ingest.ts';
import type { AppendTask, DigestTask, StoreTask, TaskResult } from './protocol.ts';
import { SegmentWriter } from './segment-writer.ts';
import { failureOf } from './task-result.ts';
import { reportLoaded, reportStoreRequests } from './thread-report.ts';
import { digest } from './timed-digest.ts';

/*
 * The entry of an ingest worker. The pool calls the functions below by name, several at a time in one thread.
 */

reportStoreRequests();
// Now, since Node.js 20 dies with a thread that is ended while it loads a native library; the pool waits for its threads.
await loadDigests();
reportLoaded();

/** Shows that the thread answers. */
export function ping(): void {}

/** Stores what comes through the task's port, until the port says that it is enough. */
export async function append(task: AppendTask): Promise<void> {
  const inbox = new Inbox(task.port);
  inbox.send({ kind: 'started' });
  const engine = await createDigestEngine(task.plan);
  const store = await openStore(task.store);
  const writer = new SegmentWriter(store, engine, inbox, task.segmentBytes);
  let result: TaskResult<'stored' | 'cancelled'>;
  try {
    result = { kind: 'done', value: await storeAll(inbox, writer) };
  } catch (error) {
    result = failureOf(error);
  } finally {
    await writer.abort();
  }
  inbox.send({ kind: 'ended', result });
  task.port.close();
}

async function storeAll(inbox: Inbox, writer: SegmentWriter): Promise<'stored' | 'cancelled'> {
  for (;;) {
    const message = await inbox.next();
    if (message.kind === 'cancel') return 'cancelled';
    if (message.kind === 'end') {
      await writer.close();
      return 'stored';
    }
    if (message.kind === 'cut') await writer.close();
    else await writer.write(message.buffer, message.length);
  }
}

/** Stores the bytes as one segment, durable when it resolves. */
export async function storeSmall(task: StoreTask): Promise<TaskResult<ClosedSegment>> {
  const { plan, bytes } = task;
  const engine = await createDigestEngine(plan);
  const store = await openStore(task.store);
  const key = newSegmentKey();
  try {
    const object = await store.create(key);
    try {
      const written = object.write(bytes);
      digest(engine, bytes);
      await written;
      await object.close();
    } finally {
      await object.abort();
    }
  } catch (error) {
    return failureOf(error);
  }
  const segment = { key, sizeBytes: bytes.length, ...engine.checkpoint() };
  return { kind: 'done', value: segment };
}

/** Digests stored objects, read one after the other. */
export async function digestStored(task: DigestTask): Promise<TaskResult<Digest>> {
  const store = await openStore(task.store);
  const hash = createHash(task.algorithm);
  try {
    for (const { key, sizeBytes } of task.segments) {
      for await (const chunk of store.read(key, 0, sizeBytes)) hash.update(chunk);
    }
    return { kind: 'done', value: digestOf(task.algorithm, hash.digest('hex')) };
  } catch (error) {
    return failureOf(error);
  }
}
