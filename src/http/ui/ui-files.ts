import { readFile } from 'node:fs/promises';
import { type Digest, digestBytes } from '../../oci/digest.ts';

/** Where scripts/copy-assets.js puts them, from the source as well as from what is compiled. */
const FOLDER = new URL('../../../dist/http/ui/files/', import.meta.url);

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

/** All that the page consists of; those that compress well also lie there as NAME.gz. */
const FILES: Readonly<Record<string, { readonly type: string; readonly isCompressed: boolean }>> = {
  'index.html': { type: HTML, isCompressed: false },
  'page.css': { type: CSS, isCompressed: false },
  'page.js': { type: SCRIPT, isCompressed: false },
  'favicon-32x32.png': { type: 'image/png', isCompressed: false },
  'swagger-ui.css': { type: CSS, isCompressed: true },
  'swagger-ui-bundle.js': { type: SCRIPT, isCompressed: true },
  'swagger-ui-bundle.js.LICENSE.txt': { type: 'text/plain; charset=utf-8', isCompressed: false },
};

/** The bytes of a file, as it is or compressed. */
export interface UiContent {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

export interface UiFile {
  readonly type: string;
  readonly plain: UiContent;
  readonly gzip: UiContent | undefined;
}

const read = new Map<string, Promise<UiFile>>();

/** A file of the page; it stays in memory, 2.5 MB for all of them. @returns undefined when there is none of that name */
export function uiFile(name: string): Promise<UiFile> | undefined {
  const known = read.get(name);
  if (known !== undefined || !Object.hasOwn(FILES, name)) return known;
  const file = readUiFile(name);
  read.set(name, file);
  file.catch(() => read.delete(name));
  return file;
}

async function readUiFile(name: string): Promise<UiFile> {
  const { type = '', isCompressed = false } = FILES[name] ?? {};
  return {
    type,
    plain: await readContent(name),
    gzip: isCompressed ? await readContent(`${name}.gz`) : undefined,
  };
}

async function readContent(name: string): Promise<UiContent> {
  const bytes = await readFile(new URL(name, FOLDER));
  return { bytes, digest: digestBytes('sha256', bytes) };
}
