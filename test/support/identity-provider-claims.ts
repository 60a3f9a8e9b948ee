import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/*
 * What well-known issuers put into their JWTs, for `mintJwt`, which adds issuer, audience and times. Types are theirs too: GitLab's
 * numbers and booleans are texts, but for the runner's.
 */

type Claims = Readonly<Record<string, unknown>>;

/** Of a workflow of `repository`, which is OWNER/NAME, on the branch main. */
export function githubActionsClaims(repository: string, changes: Claims = {}): Claims {
  const [owner] = repository.split('/');
  const sha = drawSha();
  const workflow = `${repository}/.github/workflows/release.yml@refs/heads/main`;
  return {
    jti: randomUUID(),
    sub: `repo:${repository}:ref:refs/heads/main`,
    actor: 'jdoe',
    actor_id: '1048576',
    base_ref: '',
    event_name: 'push',
    head_ref: '',
    job_workflow_ref: workflow,
    job_workflow_sha: sha,
    ref: 'refs/heads/main',
    ref_protected: 'true',
    ref_type: 'branch',
    repository,
    repository_id: '74',
    repository_owner: owner,
    repository_owner_id: '65',
    repository_visibility: 'private',
    run_attempt: '1',
    run_id: drawNumber(),
    run_number: '10',
    runner_environment: 'github-hosted',
    sha,
    workflow: 'release',
    workflow_ref: workflow,
    workflow_sha: sha,
    ...changes,
  };
}

/** Of a job of the project, whose path is GROUP/NAME, on the branch main. */
export function gitlabClaims(projectPath: string, changes: Claims = {}): Claims {
  const sha = drawSha();
  return {
    jti: randomUUID(),
    sub: `project_path:${projectPath}:ref_type:branch:ref:main`,
    ci_config_ref_uri: `gitlab.example.org/${projectPath}//.gitlab-ci.yml@refs/heads/main`,
    ci_config_sha: sha,
    job_id: drawNumber(),
    namespace_id: '72',
    namespace_path: projectPath.slice(0, projectPath.lastIndexOf('/')),
    pipeline_id: drawNumber(),
    pipeline_source: 'push',
    project_id: '20',
    project_path: projectPath,
    project_visibility: 'private',
    ref: 'main',
    ref_path: 'refs/heads/main',
    ref_protected: 'true',
    ref_type: 'branch',
    runner_environment: 'self-hosted',
    runner_id: 1,
    sha,
    user_email: 'jdoe@example.org',
    user_id: '1',
    user_login: 'jdoe',
    ...changes,
  };
}

/** Of a pod that runs as the service account, by a projected volume. */
export function kubernetesClaims(namespace: string, account: string, changes: Claims = {}): Claims {
  return {
    jti: randomUUID(),
    sub: `system:serviceaccount:${namespace}:${account}`,
    'kubernetes.io': {
      namespace,
      node: { name: 'node-1', uid: randomUUID() },
      pod: { name: `${account}-5d9c7`, uid: randomUUID() },
      serviceaccount: { name: account, uid: randomUUID() },
    },
    ...changes,
  };
}

/** Of a person's access token; groups are in it as full paths, by Keycloak's mapper for them. */
export function keycloakClaims(
  username: string,
  teams: readonly string[],
  changes: Claims = {},
): Claims {
  return {
    jti: randomUUID(),
    sub: randomUUID(),
    typ: 'Bearer',
    azp: 'pierone',
    sid: randomUUID(),
    acr: '1',
    realm_access: { roles: ['offline_access', 'uma_authorization'] },
    resource_access: { account: { roles: ['manage-account', 'view-profile'] } },
    scope: 'openid profile email',
    email_verified: true,
    preferred_username: username,
    email: `${username}@example.org`,
    groups: teams.map((team) => `/${team}`),
    ...changes,
  };
}

function drawSha(): string {
  return randomBytes(20).toString('hex');
}

/** An id, as the text that it is in these tokens. */
function drawNumber(): string {
  return String(randomInt(1e9, 1e10));
}
