import { type Client, memberOf } from './client.ts';

/** A list of names, sorted, in pages where the registry has pages. */
export async function* namesIn(
  client: Client,
  path: string,
): AsyncGenerator<readonly string[], void, undefined> {
  for await (const page of client.pages(path)) {
    // The pages of a registry that has some are sorted already.
    yield page.filter((name) => typeof name === 'string').toSorted();
  }
}

/** A member that is a text, of what came as JSON. */
export function textOf(value: unknown, name: string): string | undefined {
  const text = memberOf(value, name);
  return typeof text === 'string' ? text : undefined;
}

/** Applies `work` to a few items at the same time, and yields in the order of the items. */
export async function* inOrder<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  width: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const running: Promise<Result>[] = [];
  for await (const item of items) {
    const result = work(item);
    // Its failure is met where it is awaited.
    result.catch(() => undefined);
    running.push(result);
    const first = running.length < width ? undefined : running.shift();
    if (first) yield await first;
  }
  for (const result of running) yield await result;
}
