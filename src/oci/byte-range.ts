/** A span of bytes; both ends inclusive, as HTTP writes them (RFC 9110, section 14.1.2). */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What a Range header asks of a representation of known size. */
export type RangeRequest =
  | { readonly kind: 'whole' }
  | { readonly kind: 'unsatisfiable' }
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] };

/**
 * More ranges than this are answered with the whole (RFC 9110, section 14.2 allows to ignore the header). podman
 * asks for as many as there are missing pieces of a zstd:chunked layer.
 */
const MAX_RANGES = 1024;
const WHOLE: RangeRequest = { kind: 'whole' };
const ONE_RANGE = /^(\d{0,15})-(\d{0,15})$/;

/**
 * Reads a Range header. What is malformed, reversed or of another unit is ignored ("whole");
 * when the one range doesn't touch the representation it is "unsatisfiable". Several that don't are ignored too, since
 * clients that ask for several take a 416 for a registry that can't do so.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RangeRequest {
  if (!header?.startsWith('bytes=')) return WHOLE;
  const specs = header.slice('bytes='.length).split(',');
  if (specs.length > MAX_RANGES) return WHOLE;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const match = ONE_RANGE.exec(spec.trim());
    if (!match) return WHOLE;
    const [, from = '', to = ''] = match;
    if (from === '' && to === '') return WHOLE;
    if (from !== '' && to !== '' && Number(to) < Number(from)) return WHOLE;
    // A suffix is satisfiable whatever the length (section 14.1.2); of nothing it can only be the whole.
    if (from === '' && Number(to) > 0 && sizeBytes === 0) return WHOLE;
    const range = resolve(from, to, sizeBytes);
    if (range) ranges.push(range);
  }
  if (ranges.length > 0) return { kind: 'ranges', ranges };
  return specs.length === 1 ? { kind: 'unsatisfiable' } : WHOLE;
}

function resolve(from: string, to: string, sizeBytes: number): ByteRange | undefined {
  if (from === '') {
    const length = Math.min(Number(to), sizeBytes);
    return length === 0 ? undefined : { first: sizeBytes - length, last: sizeBytes - 1 };
  }
  const first = Number(from);
  if (first >= sizeBytes) return undefined;
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return { first, last };
}

/**
 * Reads the Content-Range of a chunk: `first-last`, with or without the unit and the total
 * (OCI distribution-spec, "Pushing a blob in chunks", writes it bare). Undefined when malformed.
 */
export function parseContentRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(\d{1,15}|\*))?$/.exec(header.trim());
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  const total = match[3] === undefined || match[3] === '*' ? Infinity : Number(match[3]);
  return last < first || last >= total ? undefined : { first, last };
}
