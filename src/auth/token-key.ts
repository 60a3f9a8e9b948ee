import { hash } from 'node:crypto';

/** Stands for secrets in memory: always as long, and nobody gets them back from it. */
export function keyOf(...secrets: readonly string[]): string {
  const texts = secrets.map((secret) => `${secret.length}:${secret}`);
  return hash('sha256', texts.join(''), 'base64');
}
