// Writes the table of settings into README.md, or checks with --check that it is the schema's.
import { readFileSync, writeFileSync } from 'node:fs';
import { describeSettings } from '../src/settings.ts';

const README = new URL('../README.md', import.meta.url);
const BEGIN = '<!-- settings: made by `npm run readme` -->';
const END = '<!-- end of settings -->';

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function table(): string {
  const rows = describeSettings().map(
    ({ name, fallback, description }) =>
      `| \`${name}\` | ${fallback === '' ? '' : `\`${cell(fallback)}\``} | ${cell(description)} |`,
  );
  return ['| Variable | Default | Meaning |', '|---|---|---|', ...rows].join('\n');
}

const before = readFileSync(README, 'utf8');
const begin = before.indexOf(BEGIN);
const end = before.indexOf(END);
if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`);
const after = `${before.slice(0, begin)}${BEGIN}\n${table()}\n${before.slice(end)}`;
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error(
      'The table of settings in README.md is not that of src/settings.ts: run npm run readme',
    );
    process.exit(1);
  }
} else writeFileSync(README, after);
