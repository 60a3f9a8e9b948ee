import type { Environment } from './environment.ts';
import type { Settings } from './settings.ts';

/** The token's name in sources that have several. */
const NAME = 'pierone';

/** The OAuth 2 token for the registry: the first source that has one. @throws CliError when a source can't be read */
export async function findToken(
  environment: Environment,
  settings: Settings,
): Promise<string | undefined> {
  return settings.get('token') ?? listedToken(environment['OAUTH2_ACCESS_TOKENS']);
}

/** `pierone=TOKEN,other=TOKEN` */
function listedToken(list: string | undefined): string | undefined {
  const entries = (list ?? '').split(',').map((entry) => entry.trim());
  const entry = entries.find((candidate) => candidate.startsWith(`${NAME}=`));
  return entry?.slice(NAME.length + 1) || undefined;
}
