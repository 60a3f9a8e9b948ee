import { readdirSync, readFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));

/** One `from '…'` of a source file. */
export interface Import {
  /** Relative to src/. */
  readonly file: string;
  /** Of ours: the file relative to src/. Otherwise the package's name, or `node:…`. */
  readonly target: string;
  readonly isOurs: boolean;
}

/** A source file with its text, named relative to src/. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

export function readSources(): SourceFile[] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: readFileSync(`${SOURCE}/${file}`, 'utf8') }))
    .toSorted((a, b) => (a.file < b.file ? -1 : 1));
}

/** Imports and re-exports of values and of types, static and dynamic. */
export function importsOf({ file, text }: SourceFile): Import[] {
  const statement =
    /^(?:import|export)\b[^;]*?\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(statement)].map(([, from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? '';
    const isOurs = specifier.startsWith('.');
    const target = isOurs ? posix.join(dirname(file), specifier) : packageOf(specifier);
    return { file, target, isOurs };
  });
}

/** `lib` of `lib/deep/path`, `@scope/lib` of `@scope/lib/deep`. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Every cycle that a walk along the imports meets, each as the files on it. */
export function findCycles(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const { file, target, isOurs } of imports) {
    if (isOurs) targets.set(file, [...(targets.get(file) ?? []), target]);
  }
  const cycles: string[][] = [];
  const isDone = new Set<string>();
  const walk = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file]);
    if (start >= 0 || isDone.has(file)) return;
    for (const target of targets.get(file) ?? []) walk(target, [...path, file]);
    isDone.add(file);
  };
  for (const file of targets.keys()) walk(file, []);
  return cycles;
}
