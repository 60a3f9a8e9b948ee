/** No object has this key. */
export class ObjectNotFound extends Error {
  override readonly name = 'ObjectNotFound';
  readonly key: string;

  constructor(key: string, options?: ErrorOptions) {
    super(`no object ${key}`, options);
    this.key = key;
  }
}

/** The store has no room left. */
export class StoreFull extends Error {
  override readonly name = 'StoreFull';
}

/** The store can't be reached, or failed otherwise. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  /** True: it may go away by itself, so that waiting for it makes sense. */
  readonly mayPass: boolean;

  constructor(message: string, { mayPass = false, ...options }: ErrorOptions & Passing = {}) {
    super(message, options);
    this.mayPass = mayPass;
  }
}

interface Passing {
  readonly mayPass?: boolean;
}

export interface StoredObject {
  readonly key: string;
  /** When it was last written to, ms since 1970; see BlobStore.tellsWhenWritten. */
  readonly modifiedMs: number;
}

/** What a writer began and has neither closed nor aborted. */
export interface UnfinishedObject {
  readonly key: string;
  /** The store's name for the writing. */
  readonly id: string;
}

/**
 * Writes one object. `write` may be called again before it resolves; the order of calls is the order of bytes.
 * After an error the writer is spent: call `abort`. `abort` after `close` is harmless, so that it fits a `finally`.
 */
export interface ObjectWriter {
  /**
   * Appends `bytes`. Resolves when more may come. They belong to the writer until it calls `onSpent`, which may be as
   * late as `close`, and never if it fails or is aborted.
   * @throws StoreFull, StoreUnavailable
   */
  write(bytes: Uint8Array, onSpent?: () => void): Promise<void>;
  /** Resolves when every byte, and the object's name, would survive a power cut. @throws StoreFull, StoreUnavailable */
  close(): Promise<void>;
  /** Leaves nothing behind. Never throws. */
  abort(): Promise<void>;
}

/**
 * Bytes under keys. An object is written once, under a new key, and never changes after its writer was closed; rows in
 * the metadata name it then, so nothing here is the truth about what exists.
 * Drivers: file/ (a directory), s3/. Each passes test/contract/blob-store.ts.
 */
export interface BlobStore {
  /**
   * Starts an object. The key must be new.
   * @param onFailure told at once of what fails between two calls of the writer; they throw it as well
   * @throws StoreFull, StoreUnavailable
   */
  create(key: string, onFailure?: (error: Error) => void): Promise<ObjectWriter>;
  /**
   * The bytes `start` (inclusive) to `end` (exclusive) of an object. Each chunk is valid until the next one is
   * asked for; the reader may then use its memory again. Ending the iteration early frees everything.
   * @throws ObjectNotFound, StoreUnavailable (also when the object is shorter than `end`)
   */
  read(key: string, start: number, end: number): AsyncIterable<Uint8Array>;
  /** Deletes objects; those that don't exist count as deleted. @throws StoreUnavailable */
  delete(keys: readonly string[]): Promise<void>;
  /** Every object below the prefix of segments, in no order. */
  list(): AsyncIterable<StoredObject>;
  /** The id of the registry that the store belongs to; empty when it carries none. @throws StoreUnavailable */
  registryId(): Promise<string>;
  /**
   * Ties the store to a registry: an empty store takes the id, any other must have it.
   * @returns the id that the store carries now; empty when it has objects and no id
   */
  claim(registryId: string): Promise<string>;
  /** Tries everything that the registry does with a store. @throws StoreUnavailable that names all that failed */
  check(): Promise<void>;
  /**
   * False where the `modifiedMs` of an object may be the time at which its writing began, which was days ago for
   * what a slow client sent.
   */
  readonly tellsWhenWritten: boolean;
  /**
   * What writers began below the prefix of segments, and added nothing to for so long. Such a writer may be dead, or
   * wait for a slow client. Only what `list` doesn't show.
   */
  unfinished(minAgeMs: number): AsyncIterable<UnfinishedObject>;
  /** A writer that isn't dead fails. What was closed meanwhile stays. @throws StoreUnavailable */
  removeUnfinished(unfinished: UnfinishedObject): Promise<void>;
  /** Undefined where an object is as quickly read from several as from one. */
  readonly joiner: ObjectJoiner | undefined;
  /** Undefined where clients can't reach the store. */
  readonly links: ObjectLinks | undefined;
}

/** Makes one object of several. */
export interface ObjectJoiner {
  /**
   * Writes the bytes of `sources`, in their order, as the object `key`, durable when it resolves. The sources stay.
   * @param signal gives it up
   * @throws ObjectNotFound, StoreUnavailable; nothing is left then but what `unfinished` or `list` finds
   */
  join(
    key: string,
    sources: readonly { readonly key: string; readonly sizeBytes: number }[],
    signal?: AbortSignal,
  ): Promise<void>;
}

/** URLs by which clients read objects from the store itself. */
export interface ObjectLinks {
  /** A URL for a GET, signed and valid for a time. It is a secret: never log it. */
  linkTo(key: string): Promise<string>;
}
