#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { withoutControls } from './cell.ts';
import { COMMANDS, commandsNamed } from './commands.ts';
import type { Environment, Streams } from './environment.ts';
import { CliError, EXIT, UsageError, withoutStop } from './errors.ts';
import { openContext } from './open-context.ts';
import { buildProgram, GLOBAL_OPTIONS } from './program.ts';

/** `doctor` loads the AWS SDK, which prints it otherwise; see src/main.ts. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const streams: Streams = process;
const environment: Environment = process.env;

async function main(args: readonly string[]): Promise<void> {
  const version = readVersion();
  const program = buildProgram({
    version,
    write: (text) => void streams.stdout.write(text),
    act: async (declaration, input, globals) => {
      const { platform } = process;
      const { run } = await declaration.load();
      const commandLine = { commands: COMMANDS, options: GLOBAL_OPTIONS };
      const given = { input, globals, commandLine, version };
      await run(await openContext({ environment, platform, streams, ...given }));
    },
  });
  if (args.length === 0) return program.outputHelp();
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw new UsageError(explainUsage(error, program.args));
  }
}

function readVersion(): string {
  const file: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  const isPackage = typeof file === 'object' && file !== null && 'version' in file;
  return isPackage ? String(file.version) : '';
}

/** What commander says, and where to read on. */
function explainUsage({ code, message }: CommanderError, args: readonly string[]): string {
  const [command = '', topic = ''] = args;
  if (code === 'commander.help') return `unknown command '${topic}'; see pierone --help.`;
  const candidates = command === '' ? [] : commandsNamed(command).map(({ name }) => name);
  if (code === 'commander.unknownCommand' && candidates.length > 1) {
    return `${command} is ambiguous: it begins ${candidates.join(', ')}.`;
  }
  const [sentence = '', hint = ''] = message.replace(/^error: /, '').split('\n');
  const [known] = candidates;
  const help = known === undefined ? 'pierone --help' : `pierone ${known} --help`;
  return `${withoutStop(`${sentence}${hint && ` ${hint}`}`)}; see ${help}.`;
}

/** Of the error, and of what caused it. */
function stacksOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const causes = error.cause === undefined ? [] : stacksOf(error.cause);
  return [error.stack ?? error.message, ...causes];
}

/** Whoever reads the output may stop reading: `pierone teams | head -1`. */
streams.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  streams.stderr.write(`pierone: The output can't be written: ${error.message}\n`);
  process.exit(EXIT.failed);
});

const args = process.argv.slice(2);
try {
  await main(args);
} catch (error) {
  const isExpected = error instanceof CliError && !args.includes('--debug');
  const text = isExpected
    ? withoutControls(error.message)
    : stacksOf(error).join('\ncaused by ').split('\n').map(withoutControls).join('\n');
  streams.stderr.write(`pierone: ${text}\n`);
  process.exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
}
