import { MessageChannel } from 'node:worker_threads';
import type { BodyEnd, ByteSource } from '../../src/oci/byte-source.ts';
import { AppendFeed } from '../../src/workers/append-feed.ts';
import type { BufferPool } from '../../src/workers/buffer-pool.ts';
import type { FromWorker, ToWorker } from '../../src/workers/protocol.ts';

/** A sender that only notes whether it may send. */
export class FakeSource implements ByteSource {
  readonly announcedBytes = undefined;
  isPaused = false;
  pauses = 0;

  deliverTo(): Promise<BodyEnd> {
    return Promise.reject(new Error('the feed must not start the delivery'));
  }

  pause(): void {
    if (this.isPaused) throw new Error('paused twice');
    this.isPaused = true;
    this.pauses += 1;
  }

  resume(): void {
    if (!this.isPaused) throw new Error('resumed, though it was not paused');
    this.isPaused = false;
  }
}

/** A feed, its sender, and the worker's end of a real MessageChannel, which is served by hand. */
export function openFeed(pool: BufferPool, maxUnderWay: number) {
  const { port1, port2 } = new MessageChannel();
  const source = new FakeSource();
  const feed = new AppendFeed(source, () => port1, pool, { maxUnderWay });
  const received: { readonly buffer: SharedArrayBuffer; readonly length: number }[] = [];
  const stored: Buffer[] = [];
  let wake = () => {};
  port2.on('message', (message: ToWorker) => {
    if (message.kind !== 'bytes') throw new Error(`unexpected ${message.kind}`);
    stored.push(Buffer.from(new Uint8Array(message.buffer, 0, message.length)));
    received.push(message);
    wake();
  });
  port1.on('message', (message: FromWorker) => {
    if (message.kind === 'spent') feed.onSpent(message.buffer, message.length);
    wake();
  });
  const nextEvent = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  return {
    feed,
    source,
    /** Buffers that the worker has and did not send home. */
    received,
    get stored(): Buffer {
      return Buffer.concat(stored);
    },
    /** Lengths of the buffers that came, in order. */
    get lengths(): number[] {
      return stored.map(({ length }) => length);
    },
    nextEvent,
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) await nextEvent();
    },
    /** Sends the oldest buffers home. */
    sendHome(count: number): void {
      for (const { buffer, length } of received.splice(0, count)) {
        const message: FromWorker = { kind: 'spent', buffer, length };
        port2.postMessage(message);
      }
    },
    close(): void {
      feed.close();
      port1.close();
      port2.close();
    },
  };
}
