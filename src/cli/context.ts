import type { Client } from './client.ts';
import type { CommandLine } from './command-line.ts';
import type { Environment, Streams } from './environment.ts';
import type { Http } from './http.ts';
import type { Input } from './input.ts';
import type { Output } from './output.ts';
import type { Settings } from './settings.ts';

/** What a command gets. */
export interface CommandContext {
  /** The command's own arguments and options. */
  readonly input: Input;
  /** What is set by options of all commands, the environment and the configuration file. */
  readonly settings: Settings;
  readonly environment: Environment;
  readonly streams: Streams;
  /** Results, on standard output, in the format that was asked for. */
  readonly output: Output;
  /** Whether there is somebody to ask: standard input and standard error are a terminal. */
  readonly isInteractive: boolean;
  /** Of this program. */
  readonly version: string;
  /** Everything that may be typed after `pierone`. */
  readonly commandLine: CommandLine;
  /** Writes a line to standard error, for people. */
  readonly note: (text: string) => void;
  /** The same, with --debug alone. Never give it a secret. */
  readonly debug: (text: string) => void;
  /** The registry's base URL, without a slash at its end. @throws UsageError where none is set */
  readonly url: () => Promise<string>;
  /** Requests to anything. */
  readonly http: () => Promise<Http>;
  /** Requests to the registry, with the token where there is one. */
  readonly client: () => Promise<Client>;
}
