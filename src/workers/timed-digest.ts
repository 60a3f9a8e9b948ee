import type { DigestEngine } from './digest-engine.ts';
import { reporter } from './thread-report.ts';

/** Digests bytes, and tells how long that took. */
export function digest(engine: DigestEngine, bytes: Uint8Array): void {
  const begin = performance.now();
  engine.update(bytes);
  reporter.digested(engine.name, bytes.length, (performance.now() - begin) / 1000);
}
