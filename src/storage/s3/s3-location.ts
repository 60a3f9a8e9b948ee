import type { StorageClass } from '@aws-sdk/client-s3';

/** A bucket, or a part of one, and how it is spoken to: plain data, so that it can be handed to a worker thread. */
export interface S3Location {
  readonly kind: 's3';
  readonly bucket: string;
  /** Before every key; empty, or it ends with a slash. */
  readonly prefix: string;
  /** A URL. Undefined: that of AWS for the region. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** The bucket's name in the path, not in the host's name. */
  readonly forcePathStyle: boolean;
  /** Size of the parts of a multipart upload, at least 5 MiB; the last one may be smaller. */
  readonly partBytes: number;
  /** What the store is asked to compare the bytes of each part with. */
  readonly checksum: 'none' | 'crc32';
  /** Each request's signature covers the bytes that it sends; else TLS alone protects them. */
  readonly signPayload: boolean;
  /** Undefined: as the bucket's own settings say. */
  readonly encryption: S3Encryption | undefined;
  /** One whose objects can be read at once. Undefined: as the store decides. */
  readonly storageClass: StorageClass | undefined;
  /** Undefined: clients can't reach the store, or shall not. */
  readonly links?: S3LinkSettings | undefined;
}

export interface S3LinkSettings {
  /** The store's URL for clients. Undefined: the same as for the registry. */
  readonly endpoint: string | undefined;
  /** How long a URL is valid, at most 7 days. */
  readonly expirationMs: number;
}

export type S3Encryption =
  | { readonly algorithm: 'AES256' }
  /** Without a key: the account's default one. */
  | { readonly algorithm: 'aws:kms'; readonly kmsKeyId: string | undefined };
