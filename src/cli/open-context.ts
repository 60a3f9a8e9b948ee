import type { Client } from './client.ts';
import type { CommandLine } from './command-line.ts';
import { readConfigFile } from './config-file.ts';
import type { CommandContext } from './context.ts';
import type { Environment, Streams } from './environment.ts';
import { UsageError } from './errors.ts';
import type { Http } from './http.ts';
import type { Input } from './input.ts';
import { openOutput, parseFormat } from './open-output.ts';
import { Settings } from './settings.ts';

export interface ContextOptions {
  readonly environment: Environment;
  readonly platform: NodeJS.Platform;
  readonly streams: Streams;
  readonly version: string;
  readonly commandLine: CommandLine;
  readonly input: Input;
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Puts together what a command gets. What not every command needs is loaded when it is asked for. */
export async function openContext(options: ContextOptions): Promise<CommandContext> {
  const { environment, platform, streams, input, globals, version, commandLine } = options;
  const settings = new Settings(globals, environment, await readConfigFile(environment, platform));
  const note = (text: string) => void streams.stderr.write(`${text}\n`);
  const debug = (text: string) => {
    if (globals['debug'] === true) note(`pierone: ${text}`);
  };
  const format = parseFormat(settings.get('output') ?? 'text');
  const hasColors = streams.stdout.isTTY === true && !environment['NO_COLOR'];
  const url = async () => baseUrl(settings);
  let http: Promise<Http> | undefined;
  let client: Promise<Client> | undefined;
  const context: CommandContext = {
    input,
    settings,
    environment,
    streams,
    output: openOutput(streams.stdout, format, hasColors),
    isInteractive: streams.stdin.isTTY === true && streams.stderr.isTTY === true,
    version,
    commandLine,
    note,
    debug,
    url,
    http: () => (http ??= loadHttp(context)),
    client: () => (client ??= loadClient(context)),
  };
  return context;
}

function baseUrl(settings: Settings): string {
  const text = settings.get('url');
  if (text === undefined) {
    throw new UsageError(
      'Which registry? Give --url https://HOST, set PIERONE_URL, or run pierone login.',
    );
  }
  return parseBaseUrl(text);
}

/** Without a scheme it is https. @throws UsageError */
export function parseBaseUrl(text: string): string {
  const full = text.includes('://') ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url && (url.username !== '' || url.password !== '')) {
    throw new UsageError(
      'The URL of the registry must have no user and no password: a token is given by PIERONE_TOKEN, or pierone login.',
    );
  }
  if (url && (url.protocol === 'https:' || url.protocol === 'http:')) {
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  }
  throw new UsageError(`${text} is no URL of a registry: it is like https://pierone.example.org.`);
}

async function loadHttp({ settings, environment, debug }: CommandContext): Promise<Http> {
  const { openHttp } = await import('./open-http.ts');
  return openHttp({ environment, caFile: settings.get('ca_file'), debug });
}

async function loadClient(context: CommandContext): Promise<Client> {
  const { environment, settings, version } = context;
  const { openClient } = await import('./client.ts');
  const { findToken } = await import('./token-sources.ts');
  const url = await context.url();
  const found = await findToken({ environment, settings, http: context.http, url: new URL(url) });
  return openClient(await context.http(), {
    url,
    token: found?.token,
    userAgent: `pierone-cli/${version}`,
  });
}
