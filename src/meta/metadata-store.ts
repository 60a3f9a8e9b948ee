import type { BlobRecords } from './records/blob-records.ts';
import type { CatalogRecords, StatisticsRecords } from './records/catalog-records.ts';
import type { DeletionRecords } from './records/deletion-records.ts';
import type { EventRecords, RefusalRecords } from './records/event-records.ts';
import type { ManifestRecords } from './records/manifest-records.ts';
import type { OutboxRecords } from './records/outbox-records.ts';
import type { ScmSourceRecords } from './records/scm-source-records.ts';
import type { TokenKeyRecords } from './records/token-key-records.ts';
import type { UploadRecords } from './records/upload-records.ts';

/** The database can't be asked, or did not answer. Nothing is known of what was in flight. */
export class MetadataUnavailable extends Error {
  override readonly name = 'MetadataUnavailable';
  /** False: it refuses us, and only an operator can change that. */
  readonly mayPass: boolean;

  constructor(message: string, { mayPass = true, ...options }: ErrorOptions & Passing = {}) {
    super(message, options);
    this.mayPass = mayPass;
  }
}

interface Passing {
  readonly mayPass?: boolean;
}

/** Exclusive locks shared by all instances; they end when the instance that holds them dies. */
export interface Locks {
  /** @returns undefined when someone else holds it. */
  tryAcquire(name: string): Promise<HeldLock | undefined>;
  /** True when someone, this instance included, holds it. */
  isHeld(name: string): Promise<boolean>;
  /** Stands for each lock that someone holds now, but for those of these names. */
  heldBut(names: readonly string[]): Promise<Set<string>>;
}

export interface HeldLock {
  /** False once it was released, or its connection was lost. */
  readonly isHeld: boolean;
  /** Harmless when called twice. Never throws: a lock that can't be given back ends with its connection. */
  release(): Promise<void>;
}

/**
 * The truth about tags, manifests, blobs and uploads. Every method throws MetadataUnavailable when the database
 * is down; each is one transaction, committed when its promise resolves.
 */
export interface MetadataStore {
  readonly uploads: UploadRecords;
  readonly blobs: BlobRecords;
  readonly manifests: ManifestRecords;
  readonly catalog: CatalogRecords;
  readonly statistics: StatisticsRecords;
  readonly events: EventRecords;
  readonly deletions: DeletionRecords;
  readonly refusals: RefusalRecords;
  readonly tokenKeys: TokenKeyRecords;
  readonly scmSources: ScmSourceRecords;
  readonly outbox: OutboxRecords;
  readonly locks: Locks;
  /** For what is answered without asking it. Resolves at once while a connection stands. */
  untilReachable(): Promise<void>;
  /** True while no row names an object of the blob store. */
  isEmpty(): Promise<boolean>;
  /** The registry's id, made with the schema; the blob store must carry the same. */
  registryId(): Promise<string>;
  close(): Promise<void>;
}
