import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/** Names under which credentials travel; their values never reach a log line. */
const CREDENTIALS = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'password',
  'secret',
  'client_secret',
  'token',
  'access_token',
  'refresh_token',
  'connectionString',
  // Where a redirect leads: a presigned URL.
  'location',
  // What S3 says of a signature that it refuses.
  'AWSAccessKeyId',
  'CanonicalRequest',
  'CanonicalRequestBytes',
  'SignatureProvided',
  'StringToSign',
  'StringToSignBytes',
];
const SPELLINGS = CREDENTIALS.flatMap((name) => [
  name,
  name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()),
]);
/** At the top of a line's fields and up to two objects deep. */
const REDACTED = SPELLINGS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]);

/** What makes a presigned URL valid, wherever in a line it stands. */
const SIGNATURE = /(X-Amz-(?:Signature|Credential|Security-Token)=)[^&"\s\\]+/gi;

/** JSON lines on `destination` (standard output unless given). Bodies and query strings are never logged. */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: REDACTED,
    hooks: { streamWrite: (line: string) => line.replace(SIGNATURE, '$1[Redacted]') },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Lines for people instead of JSON, for a terminal. The library is loaded only then. */
export async function terminalDestination(): Promise<DestinationStream> {
  const { build } = await import('pino-pretty');
  return build({ colorize: true, translateTime: 'SYS:HH:MM:ss', sync: true });
}
