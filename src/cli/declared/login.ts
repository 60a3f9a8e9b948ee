import type { CommandDeclaration } from '../command.ts';

export const LOGIN_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'whoami',
    summary: 'Show whom your token stands for, and where it may push',
    examples: [['whoami', 'your uid, realm, scopes and teams, as the registry sees them']],
    load: () => import('../commands/whoami.ts'),
  },
];
