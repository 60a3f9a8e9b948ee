import { z } from 'zod';
import { JsonFileError, parseJsonFile } from '../json-file.ts';
import { ANONYMOUS, type Principal } from '../oci/principal.ts';
import { isTeam } from '../oci/repository-name.ts';

/** What is wrong with a file of teams: every problem, a sentence each. */
export class TeamsFileError extends JsonFileError {
  override readonly name = 'TeamsFileError';

  constructor(file: string, problems: readonly string[], options?: ErrorOptions) {
    super('TEAMS_FILE', file, problems, options);
  }
}

const uid = z
  .string('a uid in quotes, or an object with uid and issuer')
  .min(1, 'a uid that is not empty')
  .max(1024, 'a uid of 1,024 characters at most')
  .refine((text) => text !== ANONYMOUS.uid, `no "${ANONYMOUS.uid}": it stands for nobody`);
const issuer = z.url({ protocol: /^https?$/, error: 'the URL of an issuer' });
const people = z
  .array(
    z.union([uid.transform((text) => ({ uid: text })), z.strictObject({ uid, issuer })], {
      error: 'a uid in quotes, or an object with uid and issuer',
    }),
    'a list of uids',
  )
  .default([]);
const schema = z.strictObject(
  {
    teams: z.record(
      z.string().refine(isTeam),
      z.strictObject({ members: people, services: people }, objectOf('members and services')),
      objectOf('teams by their names'),
    ),
  },
  objectOf('teams'),
);

/** Each principal's teams. */
export type TeamsByPrincipal = ReadonlyMap<string, ReadonlySet<string>>;

/** @throws TeamsFileError */
export function parseTeams(file: string, text: string): TeamsByPrincipal {
  const result = schema.safeParse(
    parseJsonFile(text, (problem) => new TeamsFileError(file, [problem])),
  );
  if (!result.success) throw new TeamsFileError(file, result.error.issues.map(explain));
  const teams = new Map<string, Set<string>>();
  for (const [team, { members, services }] of Object.entries(result.data.teams)) {
    const principals = [
      ...members.map((member) => principalKey(member)),
      ...services.map((service) => principalKey({ ...service, realm: 'services' })),
    ];
    for (const key of principals) teams.set(key, (teams.get(key) ?? new Set()).add(team));
  }
  return teams;
}

/** Services are told from everyone else. */
export function principalKey({ uid: name, realm, issuer: by }: Principal): string {
  return JSON.stringify([realm === 'services', by ?? null, name]);
}

/** What the value must be. Other issues of an object are explained below. */
function objectOf(content: string) {
  return {
    error: ({ code }: { readonly code?: string | undefined }) =>
      code === 'invalid_type' ? `an object of ${content}` : undefined,
  };
}

function explain(issue: z.core.$ZodIssue): string {
  const place = z.core.toDotPath(issue.path) || 'the whole';
  if (issue.code === 'invalid_key') {
    return `${place} is no name of a team: it has lower-case letters and digits, separated by one of . _ __ or dashes`;
  }
  if (issue.code === 'unrecognized_keys') {
    return `${place} has ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}, which isn't known`;
  }
  return `${place} must be ${issue.message}`;
}
