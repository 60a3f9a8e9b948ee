import { type DestinationStream, type Logger, pino } from 'pino';
import { currentTrace, type TraceContext } from './trace-context.ts';

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
const REDACTED = new Set(CREDENTIALS.map((name) => name.toLowerCase()));
/** At the top of a line's fields and up to two objects deep. */
const REDACTED_DEPTH = 3;

/** What is logged, without credentials. By hand: pino's own redaction of so many names takes 400 us a line. */
function redact(fields: object, depth = REDACTED_DEPTH): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    shown[name] = REDACTED.has(name.toLowerCase()) ? '[Redacted]' : redactValue(value, depth - 1);
  }
  return shown;
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth === 0) return value;
  if (value instanceof Error) return redact(pino.stdSerializers.err(value), depth);
  if (Array.isArray(value)) return value.map((one) => redactValue(one, depth - 1));
  // Dates, URLs and bytes say themselves how they are written.
  return 'toJSON' in value || ArrayBuffer.isView(value) ? value : redact(value, depth);
}

/** What makes a presigned URL valid, wherever in a line it stands. */
const SIGNATURE = /(X-Amz-(?:Signature|Credential|Security-Token)=)[^&"\s\\]+/gi;

/** JSON lines on `destination` (standard output unless given). Bodies and query strings are never logged. */
export function createLog(level: string, destination?: DestinationStream): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: object) => redact(fields),
    },
    // Those of a child log, which no formatter sees.
    redact: [...REDACTED].map((name) => `["${name}"]`),
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

/** A request, as its line in the log tells it. */
export interface AccessLine {
  /** Printable ASCII without quotes and backslashes. */
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly route: string;
  /** Undefined: its client was gone before the answer. */
  readonly status: number | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly ms: number;
  /** Of its end, since 1970. */
  readonly endMs: number;
  readonly client: string;
  readonly uid: string | undefined;
  readonly userAgent: string | undefined;
  /** Of an error. */
  readonly code: string | undefined;
  /** The answer was not sent as a whole. */
  readonly isCut: boolean;
  readonly trace: TraceContext | undefined;
}

export type AccessLog = (line: AccessLine) => void;

/**
 * Writes a line of level `info` for each request, between those of `log`. By hand: each request has one,
 * and none of its fields holds a credential.
 */
export function createAccessLog(log: Log): AccessLog | undefined {
  if (!log.isLevelEnabled('info')) return undefined;
  const stream: unknown = Reflect.get(log, pino.symbols.streamSym);
  if (!isStream(stream)) throw new TypeError('the log has no stream');
  return (line) => {
    if (stream.writeLater) stream.writeLater(line);
    else stream.write(textOf(line));
  };
}

function isStream(value: unknown): value is LogStream {
  return typeof value === 'object' && value !== null && 'write' in value;
}

function textOf(line: AccessLine): string {
  return `${beginText(line)}${line.requestId}${resourceText(line)}${line.ms}${callerText(line)}${endText(line)}`;
}

let lastBegin = { endMs: 0, text: '' };

/** Up to the request's id. A millisecond may have many lines. */
function beginText({ endMs }: AccessLine): string {
  if (lastBegin.endMs !== endMs) {
    const time = new Date(endMs).toISOString();
    lastBegin = { endMs, text: `{"level":"info","time":"${time}","requestId":"` };
  }
  return lastBegin.text;
}

/** A part of a line, which the line after it often has, too. */
interface KeptText {
  readonly line: AccessLine;
  readonly text: string;
}

let lastResource: KeptText | undefined;

/** From the id to the time that it took. */
function resourceText(line: AccessLine): string {
  if (lastResource && isSameResource(lastResource.line, line)) return lastResource.text;
  const { method, path, route, status } = line;
  const text =
    `","method":"${inQuotes(method)}","path":"${inQuotes(path)}","route":"${route}"` +
    (status === undefined ? '' : `,"status":${status}`) +
    `,"receivedBytes":${line.receivedBytes},"sentBytes":${line.sentBytes},"ms":`;
  lastResource = { line, text };
  return text;
}

function isSameResource(one: AccessLine, other: AccessLine): boolean {
  return (
    one.path === other.path &&
    one.method === other.method &&
    one.route === other.route &&
    one.status === other.status &&
    one.receivedBytes === other.receivedBytes &&
    one.sentBytes === other.sentBytes
  );
}

let lastCaller: KeptText | undefined;

function callerText(line: AccessLine): string {
  const { client, uid, userAgent } = line;
  const last = lastCaller?.line;
  const isSame = last?.client === client && last.uid === uid && last.userAgent === userAgent;
  if (lastCaller && isSame) return lastCaller.text;
  const shownUid = uid === undefined ? '' : `,"uid":"${inQuotes(uid)}"`;
  const shownAgent = userAgent === undefined ? '' : `,"userAgent":"${inQuotes(userAgent)}"`;
  const text = `,"client":"${inQuotes(client)}"${shownUid}${shownAgent}`;
  lastCaller = { line, text };
  return text;
}

function endText({ code, isCut, trace }: AccessLine): string {
  return (
    (code === undefined ? '' : `,"code":"${code}"`) +
    (isCut ? ',"isCut":true' : '') +
    (trace ? `,"trace_id":"${trace.traceId}","span_id":"${trace.spanId}"` : '') +
    ',"msg":"request"}\n'
  );
}

/** ASCII that stands in JSON as it is, which nearly every text here is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** As it stands between the quotes of a JSON string. */
function inQuotes(text: string): string {
  return PLAIN.test(text) ? text : JSON.stringify(text).slice(1, -1);
}

/** How long a line may wait, and how many: to make and to write each by itself takes several times as long. */
const MAX_WAIT_MS = 100;
const MAX_WAITING = 256;
/** When nobody reads the output, more than this is lost: better than memory, or the registry. */
const MAX_UNREAD = 16 * 1024 * 1024;
const URGENT = /^\{"level":"(warn|error|fatal)"/;

interface LogStream extends DestinationStream {
  /** Takes a line whose text is made when it is written. */
  writeLater?(line: AccessLine): void;
}

/** Standard output. Lines are written some at a time, at once from `warn` on, and all when the process ends. */
export function standardOutput(): LogStream {
  const output = pino.destination({ dest: 1, sync: false, maxLength: MAX_UNREAD });
  let waiting: (AccessLine | string)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting.map((line) => (typeof line === 'string' ? line : textOf(line)));
    waiting = [];
    if (lines.length > 0) output.write(lines.join(''));
  };
  process.once('exit', () => {
    flush();
    output.flushSync();
  });
  const add = (line: AccessLine | string) => {
    waiting.push(line);
    timer ??= setTimeout(flush, MAX_WAIT_MS).unref();
    if (waiting.length >= MAX_WAITING) flush();
  };
  return {
    writeLater: add,
    write(line) {
      add(line);
      if (URGENT.test(line)) flush();
    },
  };
}

/** Lines for people instead of JSON, for a terminal. The library is loaded only then. */
export async function terminalDestination(): Promise<DestinationStream> {
  const { build } = await import('pino-pretty');
  return build({ translateTime: 'SYS:HH:MM:ss', sync: true });
}
