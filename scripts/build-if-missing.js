// Runs `npm run build` when dist/ is missing or older than a source file, so that `npm start` needs no other step.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const built = new URL('dist/main.js', root);
const sources = new URL('src/', root);

function newestSourceMs() {
  const files = readdirSync(sources, { recursive: true });
  return Math.max(...files.map((file) => statSync(new URL(String(file), sources)).mtimeMs));
}

if (existsSync(sources) && (!existsSync(built) || statSync(built).mtimeMs < newestSourceMs())) {
  console.log('Building Pier One …');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: fileURLToPath(root),
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
