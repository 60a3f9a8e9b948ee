import { traceHeaders } from './trace-context.ts';

const MAX_BODY_BYTES = 256 * 1024;

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface ServiceRequest extends Omit<RequestInit, 'signal' | 'redirect'> {
  readonly timeoutMs: number;
  /** Ends the request before its time. */
  readonly signal?: AbortSignal | undefined;
}

/** There is no answer, or none that can be read. The message has neither URL nor credentials. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** Of Node.js or undici; undefined: it came too late. */
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/**
 * One request to another service, its answer bounded in time and size, redirects not followed, since credentials go
 * with it.
 * @throws NoAnswer
 */
export async function requestService(
  url: URL,
  { timeoutMs, signal, ...init }: ServiceRequest,
): Promise<ServiceAnswer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(traceHeaders())) headers.set(name, value);
  try {
    const response = await fetch(url, { ...init, headers, signal: either, redirect: 'manual' });
    return {
      status: response.status,
      headers: response.headers,
      text: await readText(response),
    };
  } catch (error) {
    // What fetch throws can name the URL, and with it a token.
    if (timeout.aborted) throw new NoAnswer(`no answer within ${timeoutMs} ms`, undefined);
    if (signal?.aborted) throw new NoAnswer('no answer in time', undefined);
    const code = codeOf(error);
    throw new NoAnswer(`no answer (${code ?? 'the connection failed'})`, code);
  }
}

async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.byteLength;
    if (size > MAX_BODY_BYTES) throw Object.assign(new Error('too long'), { code: 'TOO_LONG' });
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function codeOf(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    ? cause.code
    : undefined;
}

/** @returns undefined for what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Credentials of a client, form-encoded before (RFC 6749, section 2.3.1). */
export function basicAuthorization(clientId: string, clientSecret: string): string {
  const [id, secret] = [clientId, clientSecret].map(formEncode);
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice('='.length);
}
