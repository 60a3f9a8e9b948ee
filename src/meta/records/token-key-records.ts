/** A secret that signs registry tokens. */
export interface TokenKeyRecord {
  readonly id: string;
  readonly secret: Uint8Array;
  /** By the database's clock, when the question was asked. */
  readonly ageMs: number;
}

/** The keys of registry tokens, shared by all instances; their ages are by the database's clock. */
export interface TokenKeyRecords {
  /** All keys, the newest first. */
  list(): Promise<TokenKeyRecord[]>;
  /** Adds a key of this secret, unless there is one that is younger than `afterMs`: one, however many ask. */
  addIfDue(secret: Uint8Array, afterMs: number): Promise<void>;
  /** Removes the keys whose successor is at least so old. */
  removeOutlived(successorAgeMs: number): Promise<void>;
}
