import { Command, Option } from 'commander';
import type { CommandDeclaration, OptionDeclaration } from './command.ts';
import { COMMAND_GROUPS, commandsNamed } from './commands.ts';
import { EXIT_MEANINGS } from './errors.ts';
import { Input } from './input.ts';

/** What every command can be told; Settings reads them. */
export const GLOBAL_OPTIONS: readonly OptionDeclaration[] = [
  { flags: '--url <url>', description: 'the registry, as in https://pierone.example.org' },
  { flags: '-o, --output <format>', description: 'of results: text, json or tsv (default: text)' },
  { flags: '--token <token>', description: 'OAuth 2 token; better set PIERONE_TOKEN' },
  { flags: '--ca-file <file>', description: 'PEM file of certificate authorities to trust, too' },
  { flags: '--debug', description: 'show requests, and stack traces of errors' },
];

/** Runs a command with what it was given on the command line. */
export type Act = (
  declaration: CommandDeclaration,
  input: Input,
  globals: Readonly<Record<string, unknown>>,
) => Promise<void>;

export interface ProgramOptions {
  readonly version: string;
  readonly act: Act;
  readonly write: (text: string) => void;
}

/** The command line: what it may be, its help, and what it runs. */
export function buildProgram({ version, act, write }: ProgramOptions): Command {
  const program = new Command('pierone')
    .description('Pier One, the Docker registry with immutable tags: its client, and its server.')
    .usage('[options] <command>')
    .version(`Pier One CLI ${version}`, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help; after a command: the help of that')
    .helpCommand('help [command]', 'Show the help of a command')
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => undefined })
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => command.name(),
      commandUsage: usageOf,
    })
    .addHelpText('after', () => `\n${programNotes()}`);
  for (const option of GLOBAL_OPTIONS) program.addOption(optionOf(option));
  for (const { title, commands } of COMMAND_GROUPS) {
    for (const declaration of commands) addCommand(program, title, declaration, act);
  }
  return program;
}

function addCommand(
  program: Command,
  title: string,
  declaration: CommandDeclaration,
  act: Act,
): void {
  const { name, summary, description } = declaration;
  const command = program
    .command(name, { hidden: declaration.isHidden ?? false })
    .helpGroup(`${title}:`)
    .summary(summary)
    .description(description === undefined ? `${summary}.` : `${summary}. ${description}`)
    .aliases(abbreviationsOf(name))
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', () => `\n${examplesOf(declaration)}`);
  for (const argument of declaration.arguments ?? []) {
    command.argument(argument.name, argument.description);
  }
  for (const option of declaration.options ?? []) command.addOption(optionOf(option));
  command.action(async () => {
    await act(declaration, new Input(command.args, command.opts()), program.opts());
  });
}

function optionOf({ flags, description, choices }: OptionDeclaration): Option {
  const option = new Option(flags, description);
  return choices ? option.choices(choices) : option;
}

/** Every beginning of the name that no other command's name has. */
function abbreviationsOf(name: string): string[] {
  const beginnings = Array.from({ length: name.length - 1 }, (_, n) => name.slice(0, n + 1));
  return beginnings.filter((prefix) => {
    const [first, ...others] = commandsNamed(prefix);
    return first?.name === name && others.length === 0;
  });
}

/** `pierone tags [options] <team> [artifact...]`, without the abbreviations. */
function usageOf(command: Command): string {
  return command.parent
    ? `${command.parent.name()} ${command.name()} ${command.usage()}`
    : `${command.name()} ${command.usage()}`;
}

function examplesOf({ examples }: CommandDeclaration): string {
  const lines = examples.flatMap(([line, meaning]) => [`  # ${meaning}`, `  pierone ${line}`]);
  return ['Examples:', ...lines].join('\n');
}

function programNotes(): string {
  const codes = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return [
    'First steps:',
    '  pierone login --url https://pierone.example.org',
    '  pierone teams',
    '  pierone tags acme',
    '',
    'A command may be abbreviated: pierone art acme is pierone artifacts acme.',
    '',
    'Settings: --url, --output, --token and --ca-file may also be given as',
    'PIERONE_URL, PIERONE_OUTPUT, PIERONE_TOKEN and PIERONE_CA_FILE, or as url,',
    'output, token and ca_file in ~/.config/pierone/pierone.yaml, in lines such as',
    '  url: https://pierone.example.org',
    'HTTPS_PROXY, HTTP_PROXY, NO_PROXY, NODE_EXTRA_CA_CERTS and NO_COLOR are heeded.',
    '',
    'Exit codes:',
    ...codes,
  ].join('\n');
}
