/** All that may be typed, for completion. */
export interface CommandLine {
  /** Of every command. */
  readonly options: readonly KnownOption[];
  readonly commands: readonly KnownCommand[];
}

export interface KnownOption {
  /** As commander writes them: `-l, --limit <n>` */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

export interface KnownCommand {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly { readonly choices?: readonly string[] }[];
  readonly options?: readonly KnownOption[];
  readonly isHidden?: boolean;
}
