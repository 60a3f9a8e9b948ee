import { type Client, memberOf, pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { hasStatus } from '../errors.ts';
import type { Column, Row } from '../output.ts';

const COLUMNS: readonly Column[] = [
  { name: 'team' },
  { name: 'artifact' },
  { name: 'name', title: 'Tag' },
];

/** As the original's: what isn't found, or is ambiguous, is told and is no error. */
export async function run({ input, client, output, note }: CommandContext): Promise<void> {
  const image = input.operand(0);
  const registry = await client();
  try {
    await output.table(COLUMNS, rowsOf(registry, image));
  } catch (error) {
    if (!hasStatus(error, 404, 412)) throw error;
    const sentence =
      error.status === 404
        ? `Image ${image} not found`
        : `Prefix ${image} matches more than one image.`;
    if (output.format === 'text') return output.line(sentence);
    note(sentence);
    await output.table(COLUMNS, []);
  }
}

async function* rowsOf(client: Client, image: string): AsyncGenerator<readonly Row[]> {
  for await (const page of client.pages(pathOf('tags', image))) {
    yield page.map((tag) => ({
      team: memberOf(tag, 'team'),
      artifact: memberOf(tag, 'artifact'),
      name: memberOf(tag, 'name'),
    }));
  }
}
