import type { Answer } from '../exchange.ts';

/**
 * The original's sign of life, letter by letter: load balancers compare it. It says that the process answers; what it
 * depends on is told by the management port.
 */
export function healthAnswer(path: string): Answer | undefined {
  if (path !== '/.well-known/health') return undefined;
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
    body: '{"health": true}',
  };
}
