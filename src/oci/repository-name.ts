declare const nameBrand: unique symbol;
/** `team/artifact`, the artifact being one or more segments; checked by {@link parseRepositoryName}. */
export type RepositoryName = string & { readonly [nameBrand]: never };

/** Longest name that clients accept together with a host and a tag (docker's reference grammar). */
export const REPOSITORY_NAME_MAX_LENGTH = 255;

/** OCI distribution-spec, "Pulling manifests": the grammar of <name>, here with two segments at least. */
const SEGMENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const NAME = new RegExp(`^${SEGMENT}(?:/${SEGMENT})+$`);
const ONE_SEGMENT = new RegExp(`^${SEGMENT}$`);

function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= REPOSITORY_NAME_MAX_LENGTH && NAME.test(text);
}

export function parseRepositoryName(text: string): RepositoryName | undefined {
  return isRepositoryName(text) ? text : undefined;
}

/** One sentence that tells why `text` is no repository name, and what to do. */
export function explainRepositoryName(text: string): string {
  if (text.length > REPOSITORY_NAME_MAX_LENGTH) {
    return `a repository name has at most ${REPOSITORY_NAME_MAX_LENGTH} characters, this one has ${text.length}`;
  }
  if (ONE_SEGMENT.test(text)) {
    return `a repository is named TEAM/ARTIFACT: put the name of your team in front, as in my-team/${text}`;
  }
  return 'a repository is named TEAM/ARTIFACT; each segment has lower-case letters and digits, separated by one of . _ __ or dashes';
}

/** Whether a repository could be a team's of this name: one segment. */
export function isTeam(name: string): boolean {
  return !name.includes('/') && parseRepositoryName(`${name}/a`) !== undefined;
}

/** The team that owns a repository: its first segment. */
export function teamOf(name: RepositoryName): string {
  return name.slice(0, name.indexOf('/'));
}

/** The rest of a repository's name: one or more segments. */
export function artifactOf(name: RepositoryName): string {
  return name.slice(name.indexOf('/') + 1);
}
