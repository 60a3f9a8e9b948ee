import type { CommandContext } from './context.ts';

/** An option of one command; those that every command has are in program.ts. */
export interface OptionDeclaration {
  /** As commander writes them: `-l, --limit <n>`; `<x...>` may be given several times. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

export interface ArgumentDeclaration {
  /** `<team>`, `[artifact]`, `[tag...]` */
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** All that is known of a command before it runs: what help, completion and docs/cli.md are made of. */
export interface CommandDeclaration {
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** What else its help says, in sentences. */
  readonly description?: string;
  readonly arguments?: readonly ArgumentDeclaration[];
  readonly options?: readonly OptionDeclaration[];
  /** Command lines without `pierone` in front, and what each does. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** What else stands in its help, made when that is asked for. */
  readonly notes?: () => string;
  /** Left out of the list of commands. */
  readonly isHidden?: boolean;
  /** Loads its module, commands/NAME.ts, when it runs. */
  readonly load: () => Promise<CommandModule>;
}

/** What a file in commands/ exports. */
export interface CommandModule {
  readonly run: Run;
}

/** @throws CliError; whatever else it throws is a bug */
export type Run = (context: CommandContext) => Promise<void>;
