import type { RegistryEvent } from '../oci/registry-event.ts';
import { DeliveryError, type Sink } from './sink.ts';

const MAX_ERROR_LENGTH = 500;

/** How a delivery ended. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** Told to end, before it was known. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'failed'; readonly error: string; readonly retryAfterMs: number | undefined };

/** Tries to deliver an event once; a sink that doesn't heed its signal is not waited for. Never throws. */
export async function attempt(
  sink: Sink,
  event: RegistryEvent,
  timeoutMs: number,
  cut: AbortSignal,
): Promise<Outcome> {
  if (cut.aborted) return { kind: 'cut' };
  const controller = new AbortController();
  const { signal } = controller;
  const isAborted = new Promise<Outcome>((resolve) => {
    signal.addEventListener('abort', () =>
      resolve(cut.aborted ? { kind: 'cut' } : late(timeoutMs)),
    );
  });
  const abort = () => controller.abort();
  const timer = setTimeout(abort, timeoutMs);
  cut.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([isAborted, deliver(sink, event, signal)]);
  } finally {
    clearTimeout(timer);
    cut.removeEventListener('abort', abort);
  }
}

function late(timeoutMs: number): Outcome {
  const error = `it took longer than ${timeoutMs / 1000} s`;
  return { kind: 'failed', error, retryAfterMs: undefined };
}

async function deliver(sink: Sink, event: RegistryEvent, signal: AbortSignal): Promise<Outcome> {
  try {
    await sink.deliver(event, signal);
    return { kind: 'delivered' };
  } catch (error) {
    const retryAfterMs = error instanceof DeliveryError ? error.retryAfterMs : undefined;
    return { kind: 'failed', error: sentenceOf(error), retryAfterMs };
  }
}

/** Only a DeliveryError is known to hold no secrets. */
function sentenceOf(error: unknown): string {
  const text =
    error instanceof DeliveryError
      ? error.message
      : `the delivery failed unexpectedly (${error instanceof Error ? error.name : typeof error})`;
  return text.replaceAll('\0', '').slice(0, MAX_ERROR_LENGTH);
}
