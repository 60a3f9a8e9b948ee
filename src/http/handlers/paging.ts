import { OciError } from '../../oci/error.ts';
import type { Page } from '../../oci/page.ts';

/** Lists are cut here whatever a client asks for. */
const MAX_PAGE = 1000;

export interface ListRequest {
  /** Asks for one entry more than is shown, so that the answer knows whether there is a next page. */
  readonly page: Page;
  readonly shown: number;
}

/** Reads n and last (distribution-spec, "Listing Tags"). @throws OciError */
export function readPage(query: URLSearchParams): ListRequest {
  const n = query.get('n');
  if (n !== null && !/^\d+$/.test(n)) {
    throw new OciError('UNSUPPORTED', {
      status: 400,
      message: 'n must be a whole number of entries',
    });
  }
  const shown = Math.min(n === null ? MAX_PAGE : Number(n), MAX_PAGE);
  const last = query.get('last') || undefined;
  if (last?.includes('\0')) {
    throw new OciError('UNSUPPORTED', { status: 400, message: 'last must not contain U+0000' });
  }
  return { page: { limit: shown + 1, last }, shown };
}

/** Cuts the extra entry off; `link` is the header that leads to the next page, if there is one. */
export function cutPage(
  entries: readonly string[],
  { shown }: ListRequest,
  path: string,
): { entries: readonly string[]; headers: Record<string, string> } {
  const cut = entries.slice(0, shown);
  const last = cut.at(-1);
  if (entries.length <= shown || last === undefined) return { entries: cut, headers: {} };
  const next = `${path}?n=${shown}&last=${encodeURIComponent(last)}`;
  return { entries: cut, headers: { Link: `<${next}>; rel="next"` } };
}
