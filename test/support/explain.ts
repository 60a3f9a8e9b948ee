import { Client } from 'pg';
import { connectionOptions } from '../../src/meta/pg/database.ts';

/** One node of a plan that was carried out. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** How many rows a statement read of each table, whether they were shown or left out. */
export type RowsRead = Readonly<Record<string, number>>;

/**
 * Carries a statement out, with the plan that PostgreSQL would make for these values and, if it has a name and so may be
 * prepared for all values, with the one for those.
 * @returns the worse of both, by table
 */
export async function rowsRead(
  url: string,
  { name, text }: { readonly name: string; readonly text: string },
  values: readonly (string | number | boolean | null)[],
): Promise<RowsRead> {
  const client = new Client(connectionOptions(url));
  await client.connect();
  try {
    await client.query(`prepare listing as ${text}`);
    const worst: Record<string, number> = {};
    const modes = ['force_custom_plan', ...(name === '' ? [] : ['force_generic_plan'])];
    for (const mode of modes) {
      await client.query(`set plan_cache_mode = ${mode}`);
      const literals = values.map((value) => literalOf(client, value)).join(', ');
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) execute listing (${literals})`,
      );
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      if (!plan) throw new Error('there is no plan');
      for (const [table, count] of Object.entries(countRows(plan))) {
        worst[table] = Math.max(worst[table] ?? 0, count);
      }
    }
    return worst;
  } finally {
    await client.end();
  }
}

function literalOf(client: Client, value: string | number | boolean | null): string {
  return typeof value === 'string' ? client.escapeLiteral(value) : String(value);
}

function countRows(node: PlanNode, counts: Record<string, number> = {}): Record<string, number> {
  const table = node['Relation Name'];
  if (table !== undefined) {
    const each = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0);
    counts[table] = (counts[table] ?? 0) + each * node['Actual Loops'];
  }
  for (const child of node.Plans ?? []) countRows(child, counts);
  return counts;
}
