import { pathOf } from '../client.ts';
import type { CommandContext } from '../context.ts';
import { CliError, hasStatus, UsageError } from '../errors.ts';

/** For the servers that came after the original; this registry checks nothing, and has no marks. */
export async function run({ input, client, output }: CommandContext): Promise<void> {
  const [incident = '', team = '', artifact = '', tag = ''] = input.operandsFrom(0);
  if (!incident.startsWith('INC-')) {
    throw new UsageError(`An incident is written as in INC-42, not ${incident}.`);
  }
  const registry = await client();
  const image = `${new URL(registry.url).host}/${team}/${artifact}:${tag}`;
  const path = pathOf('teams', team, 'artifacts', artifact, 'tags', tag, 'production-ready');
  try {
    const answer = await registry.open(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ incident_id: incident }),
    });
    answer.cancel();
  } catch (error) {
    if (!hasStatus(error, 403, 404, 409, 422)) throw error;
    const detail = error.detail === undefined ? '' : `: ${error.detail}`;
    throw new CliError(`You can't mark ${image} as production ready${detail}.`, error.exitCode);
  }
  await output.line(`Marked ${image} as \`production_ready\` due to incident ${incident}.`);
}
