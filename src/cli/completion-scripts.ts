import type { CommandLine, KnownCommand, KnownOption } from './command-line.ts';
import { FORMATS } from './output.ts';

/** An option as completion needs it. */
interface Flag {
  /** As in -o and --output. */
  readonly names: readonly string[];
  readonly description: string;
  readonly value: 'none' | 'any' | 'file' | readonly string[];
}

const HELP: KnownOption = { flags: '-h, --help', description: 'show help' };

/** For `eval`, in bash 3.2 or newer. */
export function bashCompletion(line: CommandLine): string {
  const global = globalFlags(line);
  const commands = visible(line);
  return `# bash completion for pierone
_pierone() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      ${pattern(global.filter(takesValue))}) ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command:$prev in
${valueCases(line, bashValues).join('\n')}
  esac
  COMPREPLY=()
  if [[ $cur == -* ]]; then
    words=${quote(namesOf(global))}
    case $command in
${casesOf(
  commands,
  (command) => flagWords(command),
  (names) => `words+=${quote(` ${names}`)}`,
)}
    esac
  else
    case $command in
      '') words=${quote(commands.map(({ name }) => name).join(' '))} ;;
${casesOf(commands, argumentWords, (names) => `words=${quote(names)}`)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _pierone pierone`;
}

/** For `eval` after compinit, or as the file _pierone in a folder of fpath. */
export function zshCompletion(line: CommandLine): string {
  const global = globalFlags(line);
  const commands = visible(line);
  return `#compdef pierone
_pierone() {
  local command= i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
      (${pattern(global.filter(takesValue))}) ((i++)) ;;
      (-*) ;;
      (*) command=$words[i]; break ;;
    esac
  done
  case $command:$words[CURRENT-1] in
${valueCases(line, zshValues).join('\n')}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    found=(${described(global)})
    case $command in
${casesOf(
  commands,
  (command) => described(flagsOf(command)),
  (flags) => `found+=(${flags})`,
)}
    esac
    _describe -o option found
  else
    case $command in
      ('') found=(${commands.map(({ name, summary }) => quote(`${name}:${summary}`)).join(' ')})
        _describe command found ;;
${casesOf(commands, argumentWords, (names) => `compadd ${names}`)}
    esac
  fi
}
if [[ $funcstack[1] == _pierone ]]; then _pierone "$@"; else compdef _pierone pierone; fi`;
}

/** For a file in ~/.config/fish/completions, or `source`. */
export function fishCompletion(line: CommandLine): string {
  const global = globalFlags(line);
  const commands = visible(line);
  const lines = [
    ...global.map((flag) => fishFlag('', flag)),
    ...commands.map(
      ({ name, summary }) =>
        `complete -c pierone -n '__pierone_is ""' -a ${name} -d ${quote(summary)}`,
    ),
    ...commands.flatMap(fishCommand),
  ];
  return `# fish completion for pierone
function __pierone_is
    set -l words (commandline -opc)
    set -l command ''
    set -l is_value false
    set -e words[1]
    for word in $words
        if $is_value
            set is_value false
            continue
        end
        switch $word
            case ${namesOf(global.filter(takesValue))}
                set is_value true
            case '-*'
            case '*'
                set command $word
                break
        end
    end
    test "$command" = "$argv[1]"
end
complete -c pierone -f
${lines.join('\n')}`;
}

function fishCommand(command: KnownCommand): string[] {
  const condition = ` -n '__pierone_is ${command.name}'`;
  const lines = flagsOf(command).map((flag) => fishFlag(condition, flag));
  const names = argumentWords(command);
  if (names !== '') lines.push(`complete -c pierone${condition} -a ${quote(names)}`);
  return lines;
}

function visible({ commands }: CommandLine): KnownCommand[] {
  return commands.filter(({ isHidden }) => isHidden !== true);
}

function globalFlags({ options }: CommandLine): Flag[] {
  return [...options, HELP].map(flagOf);
}

function flagsOf({ options = [] }: KnownCommand): Flag[] {
  return options.map(flagOf);
}

function flagOf({ flags, description, choices }: KnownOption): Flag {
  const names = flags.split(/[ ,]+/).filter((name) => name.startsWith('-'));
  const [, placeholder] = /[<[]([^>\]]*)[>\]]/.exec(flags) ?? [];
  if (placeholder === undefined) return { names, description, value: 'none' };
  const known = choices ?? (names.includes('--output') ? FORMATS : undefined);
  const isFile = /file|directory|path/.test(placeholder);
  return { names, description, value: known ?? (isFile ? 'file' : 'any') };
}

function takesValue({ value }: Flag): boolean {
  return value !== 'none';
}

function namesOf(flags: readonly Flag[]): string {
  return flags.flatMap(({ names }) => names).join(' ');
}

function pattern(flags: readonly Flag[]): string {
  return flags.flatMap(({ names }) => names).join('|');
}

function flagWords(command: KnownCommand): string {
  return namesOf(flagsOf(command));
}

function argumentWords({ arguments: operands = [] }: KnownCommand): string {
  return operands.flatMap(({ choices = [] }) => choices).join(' ');
}

/** A case for each command of which there is something to say; zsh and bash both take the pattern in parentheses. */
function casesOf(
  commands: readonly KnownCommand[],
  words: (command: KnownCommand) => string,
  statement: (words: string) => string,
): string {
  return commands
    .filter((command) => words(command) !== '')
    .map((command) => `      (${command.name}) ${statement(words(command))} ;;`)
    .join('\n');
}

/** What follows an option with a value: of a command first, since it may use a name otherwise. */
function valueCases(line: CommandLine, complete: (flag: Flag) => string): string[] {
  const cases = (command: string, flags: readonly Flag[]) =>
    flags.filter(takesValue).map((flag) => {
      const names = flag.names.map((name) => `${command}:${name}`).join('|');
      return `    (${names}) ${complete(flag)}; return ;;`;
    });
  return [
    ...visible(line).flatMap((command) => cases(command.name, flagsOf(command))),
    ...cases('*', globalFlags(line)),
  ];
}

function bashValues({ value }: Flag): string {
  if (value === 'file') return 'COMPREPLY=($(compgen -f -- "$cur"))';
  const words = typeof value === 'string' ? '' : value.join(' ');
  return words === '' ? 'COMPREPLY=()' : `COMPREPLY=($(compgen -W ${quote(words)} -- "$cur"))`;
}

function zshValues({ value }: Flag): string {
  if (value === 'file') return '_files';
  return typeof value === 'string' ? ':' : `compadd ${value.join(' ')}`;
}

function described(flags: readonly Flag[]): string {
  return flags
    .flatMap(({ names, description }) => names.map((name) => quote(`${name}:${description}`)))
    .join(' ');
}

function fishFlag(condition: string, { names, description, value }: Flag): string {
  const parts = names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  if (value === 'file') parts.push('-r -F');
  else if (value !== 'none') parts.push('-x');
  if (typeof value !== 'string') parts.push(`-a ${quote(value.join(' '))}`);
  return `complete -c pierone${condition} ${parts.join(' ')} -d ${quote(description)}`;
}

/** For bash and zsh; fish reads a backslash in single quotes, of which there is none. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
