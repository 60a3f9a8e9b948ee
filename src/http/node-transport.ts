import { type Handler, ListenError, type Transport, type TransportOptions } from './exchange.ts';

/** Listens with node:http. @throws ListenError */
export function listenNode(_options: TransportOptions, _handler: Handler): Promise<Transport> {
  return Promise.reject(new ListenError('there is no transport on node:http yet'));
}
