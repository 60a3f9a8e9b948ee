import { z } from 'zod';
import type { Context } from '../context.ts';
import { badInput } from './endpoint.ts';
import { arrayOf, type Reply } from './reply.ts';

const MAX_PAGE = 1000;

/** Query parameters of lists: without any of them a list is sent as a whole. */
export const PAGE = {
  limit: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, 'must be 1 at least')
    .max(MAX_PAGE, `must be ${MAX_PAGE} at most`)
    .optional()
    .describe('Asks for a page of so many entries; the header Link leads to the next one.'),
  after: z
    .string()
    .optional()
    .describe('Where a page begins: from the header Link of the page before, as it came.'),
};

/** Query parameter of lists by age. */
export const ORDER = {
  order: z
    .enum(['asc', 'desc'], 'must be asc or desc')
    .optional()
    .describe('desc: the newest first; asc is what it is otherwise.'),
};

export const pageSchema = z.object(PAGE);
export type PageQuery = z.output<typeof pageSchema>;

export interface List<Row, Key, Item> {
  readonly read: (part: {
    readonly after: Key | undefined;
    readonly limit: number | undefined;
  }) => AsyncIterable<readonly Row[]> | Promise<AsyncIterable<readonly Row[]>>;
  /** Reads a key; it is sent as JSON, in base64. */
  readonly key: z.ZodType<Key>;
  /** The key of a row, as `key` reads it. */
  readonly keyOf: (row: Row) => string | readonly string[];
  readonly show: (row: Row) => Item;
  /** The list grows at its end: the last page, too, leads on, as long as it has entries. */
  readonly isGrowing?: boolean;
}

/** A page where the query asks for one, else the whole list, as it comes. */
export async function answerList<Row, Key, Item>(
  context: Context,
  query: PageQuery,
  list: List<Row, Key, Item>,
): Promise<Reply<Item[]>> {
  const { limit, after } = query;
  if (limit === undefined && after === undefined) {
    const rows = await list.read({ after: undefined, limit: undefined });
    return { stream: arrayOf(shown(rows, list.show)) };
  }
  const count = limit ?? MAX_PAGE;
  const key = after === undefined ? undefined : parseKey(after, list.key);
  const rows: Row[] = [];
  for await (const batch of await list.read({ after: key, limit: count + 1 })) rows.push(...batch);
  const page = rows.slice(0, count);
  const last = page.at(-1);
  const leadsOn = last !== undefined && (rows.length > count || list.isGrowing === true);
  return {
    body: page.map(list.show),
    ...(leadsOn ? { headers: { Link: nextPage(context, count, list.keyOf(last)) } } : {}),
  };
}

async function* shown<Row, Item>(
  batches: AsyncIterable<readonly Row[]>,
  show: (row: Row) => Item,
): AsyncGenerator<readonly Item[], void, undefined> {
  for await (const batch of batches) yield batch.map(show);
}

function parseKey<Key>(text: string, schema: z.ZodType<Key>): Key {
  const json = Buffer.from(text, 'base64url').toString();
  // PostgreSQL can't hold it.
  const result = json.includes('\\u0000') ? undefined : schema.safeParse(parseJson(json));
  if (result?.success) return result.data;
  throw badInput('after: must be what the header Link of the page before has, as it came');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** RFC 8288: the same request, behind the last entry. */
function nextPage({ exchange }: Context, limit: number, key: string | readonly string[]): string {
  const query = new URLSearchParams(exchange.query);
  query.set('limit', String(limit));
  query.set('after', Buffer.from(JSON.stringify(key)).toString('base64url'));
  return `<${exchange.path}?${query.toString()}>; rel="next"`;
}
