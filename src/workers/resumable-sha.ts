import type { DigestAlgorithm } from '../oci/digest.ts';

/** Digests a run of bytes, and can say where it stands at any time. */
export interface ResumableSha {
  update(bytes: Uint8Array): void;
  /** In hexadecimal, of the bytes so far; more may follow. */
  digest(): string;
  /** After the bytes so far, in the format SAVED_FORMAT, in memory of its own; more may follow. */
  save(): Uint8Array;
}

/** A library that has these functions. All save the same format, and go on from each other's states. */
export interface ShaLibrary {
  /** For people who look at metrics. */
  readonly name: string;
  /**
   * From the first byte, or from what `save` gave, of which nothing is kept.
   * @returns undefined when that can't be loaded
   */
  create(algorithm: DigestAlgorithm, from?: Uint8Array): Promise<ResumableSha | undefined>;
}
