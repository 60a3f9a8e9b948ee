import { type DestinationStream, type Logger, pino } from 'pino';
import { currentTrace } from './trace-context.ts';

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
    mixin: traceFields,
    hooks: { streamWrite: (line: string) => line.replace(SIGNATURE, '$1[Redacted]') },
  };
  return destination ? pino(options, destination) : pino(options);
}

/** Which trace a line belongs to. */
function traceFields(): object {
  const trace = currentTrace();
  return trace ? { trace_id: trace.traceId, span_id: trace.spanId } : {};
}

/**
 * The same log, for lines whose fields are all known to hold no credential: what looks for them takes a hundred times as
 * long as the line.
 */
export function withoutRedaction(log: Log): Log {
  return log.child({}, { redact: [] });
}

/** How long a line may wait, and how many bytes: a write for each line would cost more than the line. */
const MAX_WAIT_MS = 100;
const MAX_WAITING_BYTES = 8 * 1024;

/** Standard output. Lines are written some at a time, at once from `warn` on, and all when the process ends. */
export function standardOutput(): DestinationStream {
  const output = pino.destination({
    dest: 1,
    sync: false,
    minLength: MAX_WAITING_BYTES,
    periodicFlush: MAX_WAIT_MS,
  });
  return {
    write(line) {
      output.write(line);
      if (!QUIET_LINE.test(line)) output.flush();
    },
  };
}

const QUIET_LINE = /^\{"level":"(info|debug|trace)"/;

/** Lines for people instead of JSON, for a terminal. The library is loaded only then. */
export async function terminalDestination(): Promise<DestinationStream> {
  const { build } = await import('pino-pretty');
  return build({ colorize: true, translateTime: 'SYS:HH:MM:ss', sync: true });
}
