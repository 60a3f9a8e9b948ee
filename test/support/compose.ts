import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { JsonValue } from './json.ts';
import { run } from './process-runner.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The compose files of the repository as docker-compose understands them: merged, variables replaced, and checked
 * against the schema of the Compose Specification. @throws CommandError that says what is wrong
 */
export async function readCompose(...files: readonly string[]): Promise<JsonValue> {
  const options = files.map((file) => `--file=${file}`);
  const { stdout } = await run('docker-compose', [...options, 'config'], { cwd: ROOT });
  return JsonValue.parse(JSON.stringify(parse(stdout)));
}
