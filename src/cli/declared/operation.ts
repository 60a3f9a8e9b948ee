import type { CommandDeclaration } from '../command.ts';

export const OPERATION_COMMANDS: readonly CommandDeclaration[] = [];
