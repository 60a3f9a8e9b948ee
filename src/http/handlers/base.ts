import type { Context } from '../context.ts';
import { sendAndKeep } from '../kept-answers.ts';
import { API_VERSION, requireRead } from './answers.ts';

const ANSWER = {
  status: 200,
  headers: { ...API_VERSION, 'Content-Type': 'text/plain; charset=utf-8' },
  body: 'OK',
};

/** end-1: /v2/ says that the registry speaks the protocol. */
export async function handleBase(context: Context): Promise<void> {
  const { exchange, parts, caller } = context;
  requireRead(context);
  parts.gate.requireKnown(exchange, caller);
  sendAndKeep(context, 'base', undefined, ANSWER);
}
