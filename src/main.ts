#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { IssuerError } from './auth/issuers-file.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { ListenError } from './http/exchange.ts';
import { JsonFileError } from './json-file.ts';
import { createLog, type Log, standardOutput, terminalDestination } from './log.ts';
import { MetadataUnavailable } from './meta/metadata-store.ts';
import { type Server, startServer } from './server.ts';
import { describeSettings } from './settings.ts';
import { StartAborted, StartError } from './start-up.ts';
import { StoreFull, StoreUnavailable } from './storage/blob-store.ts';
import { welcome } from './welcome.ts';

/** Errors that an operator can do something about: their sentence is enough. */
const OPERATOR_ERRORS = [
  ConfigError,
  IssuerError,
  JsonFileError,
  ListenError,
  MetadataUnavailable,
  StartError,
  StoreFull,
  StoreUnavailable,
];

/** The AWS SDK prints it in every thread. Its version is fixed here; which Node.js it needs is our matter. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/** So small a young generation is collected sooner by one thread than by several that have to be woken. */
setFlagsFromString('--no-parallel-scavenge');
/** What pushes run would be compiled anew after each pause between them. */
setFlagsFromString('--no-flush-bytecode');
/** Where collections take little of the time, V8 lets the heap grow to four times what is in use. */
setFlagsFromString('--heap-growing-percent=50');

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help());
    return;
  }
  if (args.length > 0) {
    throw new StartError(
      `There is no option ${args[0]}: settings are environment variables, see pierone serve --help.`,
    );
  }
  const config = readConfig(process.env);
  const log = createLog(
    config.logLevel,
    process.stdout.isTTY ? await terminalDestination() : standardOutput(),
  );
  for (const notice of config.notices) log.warn(notice);
  const stopping = onStopSignal();
  const server = await startUnlessStopped(config, log, stopping);
  if (!server) {
    log.info('ended before it had started');
    return;
  }
  log.info({ url: server.url, managementUrl: server.managementUrl }, 'listening');
  process.stderr.write(welcome(server, config));
  log.info({ signal: await stopping }, 'ending; a second signal ends at once');
  await stop(server, log);
}

/** @returns undefined when a signal came while it waited for what isn't there yet. */
async function startUnlessStopped(
  config: Config,
  log: Log,
  stopping: Promise<unknown>,
): Promise<Server | undefined> {
  const abort = new AbortController();
  void stopping.then(() => abort.abort());
  try {
    return await startServer(config, log, {}, abort.signal);
  } catch (error) {
    if (error instanceof StartAborted) return undefined;
    throw error;
  }
}

/** Resolves with the first signal. A second one ends the process at once. */
function onStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(1);
      isStopping = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    // `pierone serve` holds the other end of a channel: it closes however that ends, also by SIGKILL.
    if (process.channel) process.on('disconnect', () => isStopping || onSignal('SIGTERM'));
  });
}

async function stop(server: Server, log: Log): Promise<void> {
  await server.close();
  log.info('ended');
}

/** Of the terminal that help is for. */
const COLUMNS = 80;

function help(): string {
  const rows = describeSettings().map(({ name, fallback, description }) => {
    const value = fallback === '' ? '' : `(default ${fallback})`;
    const head = `  ${name} ${value}`.trimEnd();
    const isTooLong = head.length > COLUMNS;
    return `${isTooLong ? `  ${name}\n${wrapped(value)}` : head}\n${wrapped(description)}`;
  });
  return [
    'Usage: pierone serve, or node dist/main.js',
    '',
    'Runs the Pier One registry. Ctrl-C or SIGTERM ends it.',
    '',
    'Settings are environment variables:',
    '',
    ...rows,
    '',
    'Exit codes: 0 ended by a signal; 1 it could not start, or a second signal',
    'ended it.',
    '',
  ].join('\n');
}

/** Below a name. */
function wrapped(text: string): string {
  const lines = text.match(/\S.{0,72}\S(?=\s|$)|\S+/g) ?? [];
  return lines.map((line) => `      ${line}`).join('\n');
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  const isExpected = OPERATOR_ERRORS.some((type) => error instanceof type);
  const text = error instanceof Error ? (isExpected ? error.message : error.stack) : String(error);
  process.stderr.write(`pierone: ${text}\n`);
  process.exit(1);
}
