import { createHash } from 'node:crypto';

/** Stands for secrets in memory: always as long, and nobody gets them back from it. */
export function keyOf(...secrets: readonly string[]): string {
  const hash = createHash('sha256');
  for (const secret of secrets) hash.update(`${secret.length}:`).update(secret);
  return hash.digest('base64');
}
