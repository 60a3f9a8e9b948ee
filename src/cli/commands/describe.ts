import pc from 'picocolors';
import { withoutControls } from '../cell.ts';
import { type Client, pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, hasStatus } from '../errors.ts';
import { teamOf } from '../names.ts';
import { type Section, sectionsOf } from '../tag-details.ts';
import { newestTags } from '../tag-lists.ts';

/** In the table of tsv, and of text's sections. */
const COLUMNS = [{ name: 'field' }, { name: 'value' }];

export async function run(context: CommandContext): Promise<void> {
  const { input, output } = context;
  const [team, artifact, tag] = [teamOf(input), input.operand(1), input.operand(2)];
  const details = await readTag(await context.client(), team, artifact, tag);
  if (output.format === 'json') return output.json(details);
  const sections = sectionsOf(details, { team, artifact, tag });
  if (output.format === 'tsv') {
    const rows = sections.flatMap(({ name, fields }) =>
      fields.map(([field, value]) => ({ field: `${name}.${field}`.toLowerCase(), value })),
    );
    return output.table(COLUMNS, rows);
  }
  await output.line(box(sections, output.hasColors));
}

/** One request where the server has it; the open source original knows lists of tags alone. */
async function readTag(
  client: Client,
  team: string,
  artifact: string,
  tag: string,
): Promise<unknown> {
  const path = pathOf('teams', team, 'artifacts', artifact, 'tags', tag);
  try {
    return (await client.json(path)).value;
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
  const tags = await newestTags(client, team, artifact, 0);
  const members = tags.find(({ name }) => name === tag)?.members;
  if (typeof members !== 'object' || members === null) {
    throw new CliError(
      `There is no ${team}/${artifact}:${tag}: see pierone tags ${team} ${artifact}.`,
    );
  }
  return { ...members, scm_source: await readSource(client, path) };
}

async function readSource(client: Client, tag: string): Promise<unknown> {
  try {
    return (await client.json(`${tag}/scm-source`)).value;
  } catch (error) {
    if (hasStatus(error, 404)) return null;
    throw error;
  }
}

function box(sections: readonly Section[], hasColors: boolean): string {
  const paint = pc.createColors(hasColors);
  const fields = sections.flatMap((section) => section.fields);
  const width = Math.max(...fields.map(([field]) => withoutControls(field).length));
  const blocks = sections.map(({ name, fields: own }) => {
    const lines = own.map(
      ([field, value]) => `  ${withoutControls(field).padEnd(width)}  ${withoutControls(value)}`,
    );
    return [paint.bold(name), ...lines].join('\n');
  });
  return blocks.join('\n\n');
}
