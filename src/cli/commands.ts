import type { CommandDeclaration } from './command.ts';
import { DETAIL_COMMANDS } from './declared/details.ts';
import { IMAGE_COMMANDS } from './declared/images.ts';
import { LOGIN_COMMANDS } from './declared/login.ts';
import { OPERATION_COMMANDS, SHELL_COMMANDS } from './declared/operation.ts';

/** A heading in the help, and the commands below it. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly CommandDeclaration[];
}

/** Every command, in the order of the help. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  { title: 'Log in', commands: LOGIN_COMMANDS },
  { title: 'Look at images', commands: [...IMAGE_COMMANDS, ...DETAIL_COMMANDS] },
  { title: 'Run the registry', commands: OPERATION_COMMANDS },
  { title: 'Set up your shell', commands: SHELL_COMMANDS },
];

export const COMMANDS: readonly CommandDeclaration[] = COMMAND_GROUPS.flatMap(
  ({ commands }) => commands,
);

/** The commands whose names begin so; one alone where it is the name itself. */
export function commandsNamed(prefix: string): readonly CommandDeclaration[] {
  const exact = COMMANDS.filter(({ name }) => name === prefix);
  return exact.length > 0 ? exact : COMMANDS.filter(({ name }) => name.startsWith(prefix));
}
