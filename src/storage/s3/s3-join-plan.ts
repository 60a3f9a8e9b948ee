/** S3's least size of a part that isn't the last one; S3 copies no range of a smaller object either. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
/** S3 allows 5 GiB, but must have copied it before its answer counts as missing. */
const MAX_COPY_BYTES = 256 * 1024 * 1024;
/** Below S3's 10,000, since sizes are rounded and the last part takes what is left. */
const MAX_PARTS = 9_900;

export interface JoinSource {
  readonly key: string;
  readonly sizeBytes: number;
}

/** The bytes `start` (inclusive) to `end` (exclusive) of an object. */
export interface SourceRange {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

/** A part of the new object: copied by S3 itself, or read and sent. */
export type JoinPart =
  | { readonly kind: 'copy'; readonly range: SourceRange }
  | { readonly kind: 'send'; readonly ranges: readonly SourceRange[]; readonly sizeBytes: number };

/**
 * How S3 can make one object of several. What is large enough is copied. Small neighbours are sent together; where
 * they aren't enough for a part, it borrows the first bytes of the object behind them. Parts differ in size, which
 * Cloudflare's R2 refuses.
 * @param sendBytes size of the parts that are sent, where small objects suffice for them
 * @param canCopy false: everything is sent
 */
export function planJoin(
  sources: readonly JoinSource[],
  sendBytes: number,
  canCopy = true,
): JoinPart[] {
  const totalBytes = sources.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const minBytes = Math.max(MIN_PART_BYTES, Math.ceil(totalBytes / MAX_PARTS));
  const sizes = {
    minBytes,
    sendBytes: Math.max(sendBytes, minBytes),
    // Twice the least size: an object that is cut into equal ranges has none below it then.
    copyBytes: Math.max(MAX_COPY_BYTES, 2 * minBytes),
    canCopy,
  };
  const rest = new Rest(sources);
  const parts: JoinPart[] = [];
  while (rest.sizeBytes > 0) {
    if (canCopy && rest.sizeBytes >= minBytes) parts.push(...copies(rest, sizes.copyBytes));
    else parts.push(gather(rest, sizes));
  }
  return parts;
}

interface PartSizes {
  readonly minBytes: number;
  readonly sendBytes: number;
  readonly copyBytes: number;
  readonly canCopy: boolean;
}

/** What isn't planned yet. */
class Rest {
  readonly #sources: readonly JoinSource[];
  #index = 0;
  #start = 0;

  constructor(sources: readonly JoinSource[]) {
    this.#sources = sources.filter(({ sizeBytes }) => sizeBytes > 0);
  }

  /** Of the first object in it; 0 at the end of all. */
  get sizeBytes(): number {
    return (this.#sources[this.#index]?.sizeBytes ?? 0) - this.#start;
  }

  /** The next bytes; they must be those of one object. */
  take(sizeBytes: number): SourceRange {
    const source = this.#sources[this.#index];
    if (!source || sizeBytes > this.sizeBytes) throw new RangeError('no such bytes to join');
    const start = this.#start;
    const end = start + sizeBytes;
    this.#start = end;
    if (end === source.sizeBytes) {
      this.#index += 1;
      this.#start = 0;
    }
    return { key: source.key, start, end };
  }
}

/** The rest of an object in ranges of about one size, so that none is too small. */
function copies(rest: Rest, copyBytes: number): JoinPart[] {
  const { sizeBytes } = rest;
  const count = Math.ceil(sizeBytes / copyBytes);
  const rangeBytes = Math.ceil(sizeBytes / count);
  return Array.from({ length: count }, () => ({
    kind: 'copy',
    range: rest.take(Math.min(rangeBytes, rest.sizeBytes)),
  }));
}

function gather(rest: Rest, { minBytes, sendBytes, canCopy }: PartSizes): JoinPart {
  const ranges: SourceRange[] = [];
  let gathered = 0;
  while (rest.sizeBytes > 0 && gathered < sendBytes) {
    const isCopied = canCopy && rest.sizeBytes >= minBytes;
    const missing = (isCopied ? minBytes : sendBytes) - gathered;
    if (missing <= 0) break;
    const range = rest.take(Math.min(rest.sizeBytes, missing));
    ranges.push(range);
    gathered += range.end - range.start;
  }
  return { kind: 'send', ranges, sizeBytes: gathered };
}
