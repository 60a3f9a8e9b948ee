import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Names under which credentials travel; their values never reach a log line. */
const REDACTED = ['authorization', 'cookie', 'password', 'token', 'secret', 'connectionString'];

/** JSON lines on `destination` (standard output unless given). Bodies and query strings are never logged. */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: REDACTED.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Lines for people instead of JSON, for a terminal. The library is loaded only then. */
export async function terminalDestination(): Promise<DestinationStream> {
  const { build } = await import('pino-pretty');
  return build({ colorize: true, translateTime: 'SYS:HH:MM:ss', sync: true });
}
