import type { CommandDeclaration } from '../command.ts';

export const IMAGE_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'teams',
    summary: 'List the teams that have images',
    examples: [['teams', 'one team a line, sorted']],
    load: () => import('../commands/teams.ts'),
  },
];
