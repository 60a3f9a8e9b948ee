import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../scripts/install-test-dependencies', import.meta.url));

/** `bench`: the peer and wrk; `clients`: docker, podman and skopeo; `s3`: Ceph. */
export type ProgramGroup = 'bench' | 'clients' | 's3';

/** Installs what is missing, as root on Debian; elsewhere says what is missing, and ends the benchmark. */
export function ensurePrograms(...groups: readonly ProgramGroup[]): void {
  const { status, error } = spawnSync(SCRIPT, groups, { stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(1);
}
