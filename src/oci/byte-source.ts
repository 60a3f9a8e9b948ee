/** How a body ended: `complete`, or `cut` because its sender has gone. What was delivered counts either way. */
export type BodyEnd = 'complete' | 'cut';

/** A request body that is delivered as it arrives, with back-pressure. */
export interface ByteSource {
  /** Bytes that were announced; undefined when the sender didn't say. */
  readonly announcedBytes: number | undefined;
  /**
   * Starts the delivery; call it once. A chunk is valid during the call alone. After `pause` at most the chunk
   * that has already been read still comes.
   */
  deliverTo(sink: (chunk: Uint8Array) => void): Promise<BodyEnd>;
  pause(): void;
  resume(): void;
}

/** A body that may have come together with its request's head. */
export interface RequestSource extends ByteSource {
  /**
   * All of it, when it has come already and has at most `maxBytes`, but some: then nothing is left to be delivered.
   * Undefined: have it delivered.
   */
  takeWhole(maxBytes: number): Promise<Uint8Array | undefined>;
}

/** Delivers bytes that are there. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    announcedBytes: bytes.length,
    deliverTo: async (sink) => {
      sink(bytes);
      return 'complete';
    },
    pause() {},
    resume() {},
  };
}
