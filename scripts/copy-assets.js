// Copies what the compiler leaves: the SQL of the migrations and the files of Swagger UI. The part of `npm run build`
// after tsc.
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const root = new URL('..', import.meta.url);

cpSync(new URL('src/meta/migrations', root), new URL('dist/meta/migrations', root), {
  recursive: true,
});

const swaggerUi = new URL('.', import.meta.resolve('swagger-ui-dist/package.json'));
const page = new URL('dist/http/ui/files/', root);
rmSync(page, { recursive: true, force: true });
cpSync(new URL('src/http/ui/page', root), page, { recursive: true });
for (const name of [
  'LICENSE',
  'NOTICE',
  'favicon-32x32.png',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui.css',
]) {
  cpSync(new URL(name, swaggerUi), new URL(name, page));
}
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css']) {
  writeFileSync(
    new URL(`${name}.gz`, page),
    gzipSync(readFileSync(new URL(name, page)), { level: 9 }),
  );
}

for (const name of ['main.js', 'cli/main.js', 'cli/credential-helper.js']) {
  const file = fileURLToPath(new URL(name, new URL('dist/', root)));
  if (existsSync(file)) chmodSync(file, 0o755);
}
