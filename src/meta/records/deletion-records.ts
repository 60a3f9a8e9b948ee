/**
 * Objects that no row names any more, and those that are to be deleted. A key on the list that a row comes to name
 * leaves it, unless a sweep has claimed it: then the row is refused.
 */
export interface DeletionRecords {
  /** Claims up to `limit` keys that no row names and that were on the list for at least `graceMs`. */
  claimDue(graceMs: number, limit: number): Promise<string[]>;
  /** Takes keys off the list, after the store has deleted their objects. */
  done(keys: readonly string[]): Promise<void>;
  /** Puts those keys on the list that nothing names; their time on it begins `fromNowMs` from now. */
  addUnknown(keys: readonly string[], fromNowMs: number): Promise<void>;
}
