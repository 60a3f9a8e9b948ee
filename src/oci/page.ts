/** One page of a sorted list: at most `limit` entries after `last` (exclusive; it need not exist). */
export interface Page {
  readonly limit: number;
  readonly last: string | undefined;
}
