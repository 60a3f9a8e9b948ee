import { z } from 'zod';
import { OciError } from '../../oci/error.ts';
import { parseTag, type Tag } from '../../oci/reference.ts';
import { parseRepositoryName, type RepositoryName } from '../../oci/repository-name.ts';

/*
 * What several endpoints take and give.
 */

/** Headings of the OpenAPI document. */
export const GROUP = {
  api: 'Pier One API',
  v1: 'Docker Registry API v1',
  operation: 'Operation',
} as const;

export const NOTHING = z.object({});

export const TEAM = { team: z.string().describe('The first segment of repository names.') };
export const ARTIFACT = {
  ...TEAM,
  artifact: z.string().describe('The rest of the name, with %2F for slashes: a%2Fb.'),
};
export const TAG = {
  ...ARTIFACT,
  tag: z.string().describe('The name of a tag; latest is the newest immutable one.'),
};

/** Query parameter of what leaves signature tags out. */
export const ALL = {
  all: z
    .enum(['true', 'false'], 'must be true or false')
    .optional()
    .describe(
      'true: with signature tags (sha256-….sig and the like), which are left out otherwise.',
    ),
};

/** UTC, always with milliseconds, as old clients want it. */
export const time = z.iso.datetime({ precision: 3 });

export const errorSchema = z.object({
  message: z.string().describe('One sentence for people.'),
  details: z.unknown().nullable().describe('Facts for programs, or null.'),
});

/** @throws OciError NAME_UNKNOWN: what can't be a name isn't there, either */
export function repositoryOf({
  team,
  artifact,
}: {
  readonly team: string;
  readonly artifact: string;
}): RepositoryName {
  const name = parseRepositoryName(`${team}/${artifact}`);
  if (name !== undefined && !team.includes('/')) return name;
  throw new OciError('NAME_UNKNOWN', {
    message: 'there is no such artifact: GET /teams/TEAM/artifacts names what there is',
  });
}

/** @throws OciError MANIFEST_UNKNOWN */
export function tagOf(text: string): Tag {
  const tag = parseTag(text);
  if (tag !== undefined) return tag;
  throw new OciError('MANIFEST_UNKNOWN', {
    message: 'a tag has up to 128 letters, digits, and . _ -: there is none of this name',
  });
}

/** The two parts of a repository's name. */
export function partsOf(repository: string): { team: string; artifact: string } {
  const slash = repository.indexOf('/');
  return { team: repository.slice(0, slash), artifact: repository.slice(slash + 1) };
}
