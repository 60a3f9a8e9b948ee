import { type Client, memberOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { hasStatus } from '../errors.ts';
import { textOf } from '../lists.ts';
import type { Column, Row } from '../output.ts';

const COLUMNS: readonly Column[] = [{ name: 'team' }, { name: 'artifact' }];

export async function run({ input, client, output, note }: CommandContext): Promise<void> {
  const text = input.operand(0);
  const registry = await client();
  let count = 0;
  await output.table(COLUMNS, counted());
  if (count === 0) note(`No artifact has a word that begins with ${text}.`);

  async function* counted() {
    for await (const rows of rowsOf(registry, text)) {
      count += rows.length;
      yield rows;
    }
  }
}

async function* rowsOf(client: Client, text: string): AsyncGenerator<readonly Row[]> {
  try {
    for await (const page of client.pages('/search', { q: text })) {
      yield page.map((found) => ({
        team: textOf(found, 'team'),
        artifact: textOf(found, 'artifact'),
      }));
    }
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
    yield await namesakes(client, text);
  }
}

/** A registry of the original finds whole names alone. */
async function namesakes(client: Client, text: string): Promise<readonly Row[]> {
  const { value } = await client.json('/v1/search', { q: text });
  const results = memberOf(value, 'results');
  return (Array.isArray(results) ? results : []).map((found) => {
    const [team = '', ...artifact] = (textOf(found, 'name') ?? '').split('/');
    return { team, artifact: artifact.join('/') };
  });
}
