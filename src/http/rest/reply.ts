/** The JSON text of a T, in pieces. */
export interface JsonStream<T> {
  readonly pieces: AsyncIterable<string>;
  /** Never set: it is what the pieces mean. */
  readonly meaning?: T;
}

/** A successful answer, whose body is a T in JSON. */
export type Reply<T> = { readonly headers?: Readonly<Record<string, string>> } & (
  | { readonly body: T }
  | { readonly stream: JsonStream<T> }
);

/** An array of what comes in batches. Its beginning waits for the first batch, which may throw. */
export function arrayOf<T>(batches: AsyncIterable<readonly T[]>): JsonStream<T[]> {
  return { pieces: join('[', batches, (item) => JSON.stringify(item), ']') };
}

/** An object of the entries that come in batches. */
export function objectOf(
  batches: AsyncIterable<readonly (readonly [string, string])[]>,
): JsonStream<Record<string, string>> {
  const show = ([name, value]: readonly [string, string]) =>
    `${JSON.stringify(name)}:${JSON.stringify(value)}`;
  return { pieces: join('{', batches, show, '}') };
}

async function* join<T>(
  open: string,
  batches: AsyncIterable<readonly T[]>,
  show: (item: T) => string,
  close: string,
): AsyncGenerator<string, void, undefined> {
  let before = open;
  let isOpen = false;
  for await (const batch of batches) {
    if (batch.length === 0) continue;
    yield before + batch.map(show).join(',');
    before = ',';
    isOpen = true;
  }
  yield isOpen ? close : open + close;
}
