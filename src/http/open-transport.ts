import type { Log } from '../log.ts';
import {
  type Handler,
  ListenError,
  MAX_HEAD_BYTES,
  type Transport,
  type TransportOptions,
} from './exchange.ts';
import { listenNode } from './node-transport.ts';

/** uWebSockets.js is faster by far; node:http runs wherever Node does. */
export type TransportKind = 'uws' | 'node';

export type Listen = (options: TransportOptions, handler: Handler) => Promise<Transport>;

/**
 * Listens with the transport of that kind; undefined: with uWebSockets.js, or where its binary can't be loaded
 * (musl, a Node newer than the binary, an older glibc) with node:http.
 * @throws ListenError
 */
export async function openTransport(
  kind: TransportKind | undefined,
  options: TransportOptions,
  handler: Handler,
  log: Log,
): Promise<Transport> {
  const listen = kind === 'node' ? listenNode : await loadUws().catch(insteadOfUws(kind, log));
  return listen(options, handler);
}

/** @throws what the package throws where it has no binary for this machine */
export async function loadUws(): Promise<Listen> {
  // It reads the variable once, when it is loaded; its own default is 4 KiB.
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(MAX_HEAD_BYTES);
  const { listenUws } = await import('./uws-transport.ts');
  return listenUws;
}

function insteadOfUws(kind: TransportKind | undefined, log: Log): (error: unknown) => Listen {
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    if (kind === 'uws') {
      throw new ListenError(
        `uWebSockets.js can't be loaded here (${reason}): set HTTP_TRANSPORT=node, or unset it`,
        { cause: error },
      );
    }
    log.warn({ reason }, 'uWebSockets.js cannot be loaded here: using the slower node:http');
    return listenNode;
  };
}
