import { chmod, cp, mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './process-runner.ts';
import type { Workspace } from './workspace.ts';

/*
 * What an image is built from where there is no network: the files of Debian packages as they are installed here, and
 * this machine's Node.js.
 */

/** What the finished image finds there. */
const RUNTIME_PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6'];
/** A shell, what npm's scripts call, and the libraries of these. */
const BUILD_PACKAGES = [
  ...RUNTIME_PACKAGES,
  'dash',
  'coreutils',
  'libselinux1',
  'libacl1',
  'libattr1',
  'libgmp10',
  'libpcre2-8-0',
];

/** A root file system, in a folder of the workspace. */
export async function makeRuntimeBase(workspace: Workspace): Promise<string> {
  return layOut(workspace, 'runtime-base', RUNTIME_PACKAGES);
}

/** One with Node.js and npm, where an image of Node.js has them. */
export async function makeBuildBase(workspace: Workspace): Promise<string> {
  const root = await layOut(workspace, 'build-base', BUILD_PACKAGES);
  const local = join(root, 'usr/local');
  await mkdir(join(local, 'bin'), { recursive: true });
  await cp(await realpath(process.execPath), join(local, 'bin/node'));
  const { stdout } = await run('npm', ['root', '--global']);
  await cp(join(stdout.trim(), 'npm'), join(local, 'lib/node_modules/npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  await symlink('dash', join(root, 'usr/bin/sh')).catch(() => undefined);
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  return root;
}

async function layOut(workspace: Workspace, name: string, packages: string[]): Promise<string> {
  const root = workspace.path(name);
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', folder), { recursive: true });
    await symlink(`usr/${folder}`, join(root, folder));
  }
  for (const folder of ['dev', 'etc', 'proc', 'root', 'sys', 'tmp'])
    await mkdir(join(root, folder));
  await chmod(join(root, 'tmp'), 0o1777);
  const { stdout } = await run('dpkg', ['--listfiles', ...packages]);
  const list = workspace.path(`${name}.list`);
  const archive = workspace.path(`${name}.tar`);
  await writeFile(list, stdout.split('\n').filter(isWanted).join('\n'));
  await mkdir(dirname(archive), { recursive: true });
  const from = ['--directory=/', '--no-recursion', '--ignore-failed-read', `--files-from=${list}`];
  await run('tar', ['--create', `--file=${archive}`, ...from]);
  const into = [`--directory=${root}`, '--keep-directory-symlink'];
  await run('tar', ['--extract', `--file=${archive}`, ...into]);
  return root;
}

/** Programs and libraries; folders come with them. */
function isWanted(path: string): boolean {
  return /^\/(usr\/)?(s?bin|lib\w*)\/.*\w/.test(path) && !/\/(gconv|girepository)\//.test(path);
}
