import type { Context } from '../context.ts';
import { API_VERSION, methodNotAllowed } from './answers.ts';

const ANSWER = {
  status: 200,
  headers: { ...API_VERSION, 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'OK',
};

/** end-1: /v2/ says that the registry speaks the protocol. */
export async function handleBase(context: Context): Promise<void> {
  const { exchange } = context;
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
    throw methodNotAllowed(context, 'GET, HEAD');
  exchange.send(ANSWER);
}
