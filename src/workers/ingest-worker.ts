import { createHash } from 'node:crypto';
import { type Digest, digestOf } from '../oci/digest.ts';
import { ObjectNotFound, StoreFull, StoreUnavailable } from '../storage/blob-store.ts';
import { openStore } from '../storage/open-store.ts';
import { createDigestEngine } from './digest-engine.ts';
import { Inbox } from './inbox.ts';
import type { AppendTask, DigestTask, TaskResult } from './protocol.ts';
import { SegmentWriter } from './segment-writer.ts';
import { reportStoreRequests } from './thread-report.ts';

/*
 * The entry of an ingest worker. The pool calls the functions below by name, several at a time in one thread.
 */

reportStoreRequests();

/** Shows that the thread answers. */
export function ping(): void {}

/** Stores what comes through the task's port, until the port says that it is enough. */
export async function append(task: AppendTask): Promise<void> {
  const inbox = new Inbox(task.port);
  const engine = await createDigestEngine(task.plan);
  inbox.send({ kind: 'started' });
  const store = await openStore(task.store);
  const writer = new SegmentWriter(store, engine, inbox, task.segmentBytes);
  let result: TaskResult<'stored' | 'cancelled'>;
  try {
    result = { kind: 'done', value: await storeAll(inbox, writer) };
  } catch (error) {
    result = failure(error);
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
    return failure(error);
  }
}

function failure(error: unknown): TaskResult<never> {
  if (error instanceof StoreFull) return { kind: 'failed', reason: 'full', message: error.message };
  if (error instanceof ObjectNotFound) {
    return { kind: 'failed', reason: 'not-found', key: error.key };
  }
  if (error instanceof StoreUnavailable) {
    return { kind: 'failed', reason: 'unavailable', message: error.message };
  }
  throw error;
}
