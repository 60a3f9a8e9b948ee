// Copies what the compiler leaves: the SQL of the migrations. The part of `npm run build` after tsc.
import { chmodSync, cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
cpSync(new URL('src/meta/migrations', root), new URL('dist/meta/migrations', root), {
  recursive: true,
});
chmodSync(fileURLToPath(new URL('dist/main.js', root)), 0o755);
