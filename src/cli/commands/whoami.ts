import type { CommandContext } from '../context.ts';
import { CliError, hasStatus } from '../errors.ts';
import type { Column } from '../output.ts';

const COLUMNS: readonly Column[] = [
  { name: 'uid' },
  { name: 'realm' },
  { name: 'issuer' },
  { name: 'scopes' },
  { name: 'teams' },
  { name: 'push_teams', title: 'May Push To' },
];

export async function run({ client, output }: CommandContext): Promise<void> {
  const registry = await client();
  try {
    const { value } = await registry.json('/whoami');
    await output.table(COLUMNS, [{ ...Object(value) }]);
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
    throw new CliError(`${registry.url} can't tell: it is an older Pier One, without /whoami.`);
  }
}
