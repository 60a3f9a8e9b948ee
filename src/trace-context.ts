import { AsyncLocalStorage } from 'node:async_hooks';

/** A request's place in a trace (W3C Trace Context, level 1). */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  /** As they came, for what is asked on the request's behalf. */
  readonly headers: Readonly<Record<string, string>>;
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}/;

const running = new AsyncLocalStorage<TraceContext>();

/** Undefined when there is no valid traceparent: then tracestate doesn't count either. */
export function readTraceContext(header: (name: string) => string | undefined) {
  const traceparent = header('traceparent');
  if (traceparent === undefined) return undefined;
  const [, traceId, spanId] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || !isWhole(traceparent)) return undefined;
  const tracestate = header('tracestate');
  // Others write into it; longer ones need not be passed on.
  const isPassedOn = tracestate !== undefined && /^[ -~\t]{1,512}$/.test(tracestate);
  const headers = { traceparent, ...(isPassedOn ? { tracestate } : {}) };
  return { traceId, spanId, headers } satisfies TraceContext;
}

/** Version 00 ends there; later ones may have more, behind a dash. */
function isWhole(traceparent: string): boolean {
  return (
    traceparent.length === 55 ||
    (!traceparent.startsWith('00') &&
      traceparent[55] === '-' &&
      /^[!-~]{56,256}$/.test(traceparent))
  );
}

let traced = 0;

/**
 * All that `work` does until it is done is done in the trace. While no trace is followed, that costs nothing: before
 * Node.js 24 an AsyncLocalStorage that is in use slows each promise of the process down.
 */
export function inTrace<Work extends Promise<unknown> | undefined>(
  trace: TraceContext | undefined,
  work: () => Work,
): Work | Promise<Awaited<Work>> {
  return trace ? followed(trace, work) : work();
}

async function followed<Work>(trace: TraceContext, work: () => Work): Promise<Awaited<Work>> {
  traced += 1;
  try {
    return await running.run(trace, work);
  } finally {
    traced -= 1;
    if (traced === 0) running.disable();
  }
}

/** Of the request on whose behalf this runs. */
export function currentTrace(): TraceContext | undefined {
  return running.getStore();
}

/** Headers for a request to somebody else. */
export function traceHeaders(): Readonly<Record<string, string>> {
  return running.getStore()?.headers ?? NONE;
}

const NONE: Readonly<Record<string, string>> = {};
