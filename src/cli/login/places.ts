import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../environment.ts';

/** Where files are. */
export interface Places {
  readonly environment: Environment;
  readonly home: string;
  readonly platform: NodeJS.Platform;
  /** Of the user, where the system has such. */
  readonly uid: number | undefined;
}

export function placesOf(environment: Environment, platform = process.platform): Places {
  const home = environment['HOME'] || homedir();
  return { environment, home, platform, uid: process.getuid?.() };
}

export function dockerConfigFile({ environment, home }: Places): string {
  return join(environment['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
}

/** podman's, buildah's and skopeo's, as containers-auth.json(5) says. */
export function podmanAuthFile({ environment, home, platform, uid }: Places): string {
  const explicit = environment['REGISTRY_AUTH_FILE'];
  if (explicit) return explicit;
  if (platform !== 'linux') return join(home, '.config', 'containers', 'auth.json');
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime) return join(runtime, 'containers', 'auth.json');
  // podman sets the variable itself for whoever isn't root.
  return uid ? `/run/user/${uid}/containers/auth.json` : '/run/containers/0/auth.json';
}

/** Where logins and tokens are kept. */
export function stateFile({ environment, home, platform }: Places, name: string): string {
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'pierone', name);
  return join(environment['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'pierone', name);
}
