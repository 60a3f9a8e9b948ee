import type { CommandDeclaration } from '../command.ts';

export const LOGIN_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'whoami',
    summary: 'Show whom the token stands for',
    examples: [['whoami', 'your uid, realm and teams, as the registry sees them']],
    load: () => import('../commands/whoami.ts'),
  },
];
