import type { CommandDeclaration } from '../command.ts';

export const LOGIN_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'login',
    summary: 'Log in to the registry, and set docker up for it',
    description:
      'The token is looked for in --token, PIERONE_TOKEN, the tokens of zign, OAUTH2_ACCESS_TOKENS and the files in CREDENTIALS_DIR; at a terminal you can log in at an identity provider instead (PIERONE_OIDC_ISSUER). docker gets it by docker-credential-pierone at each pull and push. docs/login.md says more.',
    options: [
      { flags: '--podman', description: "write podman's auth.json, too" },
      { flags: '--auth-file <file>', description: 'the same, and where it is' },
      {
        flags: '--no-credential-helper',
        description: 'write the token itself to the files; it is of use until it expires',
      },
      {
        flags: '--instance-identity',
        description: 'log in as this EC2 machine, which may pull',
      },
      { flags: '--browser', description: 'log in anew, in a browser on this machine' },
      { flags: '--device', description: 'log in anew, in a browser elsewhere, with a code' },
    ],
    examples: [
      ['login', 'the registry that is configured, or that you are asked for'],
      ['login --url https://pierone.example.org', 'this one'],
      ['login --podman', 'for podman, buildah and skopeo as well'],
      ['login --device', 'on a machine without a browser'],
    ],
    load: () => import('../commands/login.ts'),
  },
  {
    name: 'logout',
    summary: 'Log out of the registry, and remove what login has written',
    options: [
      {
        flags: '--auth-file <file>',
        description: "podman's auth.json, if it is not where podman has it",
      },
    ],
    examples: [['logout --url https://pierone.example.org', 'this registry; others stay']],
    load: () => import('../commands/logout.ts'),
  },
  {
    name: 'whoami',
    summary: 'Show whom your token stands for, and where it may push',
    examples: [['whoami', 'your uid, realm, scopes and teams, as the registry sees them']],
    load: () => import('../commands/whoami.ts'),
  },
];
