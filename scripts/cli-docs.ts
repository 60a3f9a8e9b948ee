// Writes docs/cli.md from the declarations of the commands, or checks with --check that it is theirs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { CommandDeclaration } from '../src/cli/command.ts';
import { COMMAND_GROUPS } from '../src/cli/commands.ts';
import { EXIT_MEANINGS } from '../src/cli/errors.ts';

const PAGE = new URL('../docs/cli.md', import.meta.url);

const INTRODUCTION = `<!-- made by \`npm run readme\` from src/cli/declared: change it there, or in scripts/cli-docs.ts -->
# The pierone command

\`npm ci && npm run build\`, then \`npx pierone\` in this directory, or \`npm install -g .\` for \`pierone\` everywhere. It takes the place of the
original's Python client: commands, options, columns, texts and files of settings are the same.

    pierone login --url https://pierone.example.org
    pierone tags acme shop
    pierone latest acme shop

A command may be abbreviated as long as no other begins so. \`pierone COMMAND --help\` is as below.

## Settings

An option goes before the environment, and that before the file.

| Option | Environment | In the file | Meaning |
|---|---|---|---|
| \`--url\` | \`PIERONE_URL\` | \`url\` | the registry; https unless it says http:// |
| \`-o\`, \`--output\` | \`PIERONE_OUTPUT\` | \`output\` | \`text\`, \`json\` or \`tsv\` |
| \`--token\` | \`PIERONE_TOKEN\` | \`token\` | OAuth 2 token; others see what is on a command line |
| | \`OAUTH2_ACCESS_TOKENS\` | | \`pierone=TOKEN\`, comma-separated with others; [login.md](login.md) has all places of tokens |
| | \`PIERONE_OIDC_ISSUER\` | \`oidc_issuer\` | where people log in: [login.md](login.md) |
| \`--ca-file\` | \`PIERONE_CA_FILE\` | \`ca_file\` | PEM file of authorities to trust besides those that Node.js knows; so is \`NODE_EXTRA_CA_CERTS\` |
| | \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`NO_PROXY\` | | proxies; lower-case names too |
| | \`NO_COLOR\` | | no colours; there are none either where the output isn't a terminal |

The file is the first of these that exists: on macOS \`~/Library/Application Support/pierone/pierone.yaml\`; then
\`~/.config/pierone/pierone.yaml\` and \`~/.config/pierone.yaml\`, below \`XDG_CONFIG_HOME\` if that is set.

    url: https://pierone.example.org

## Output

\`text\` is a table for people: on a terminal it is cut to fit, elsewhere it is whole. \`tsv\` has a line of column names, then a line for each row,
with a tab between columns. In both, times are ages such as \`5d ago\`. \`json\` is one list of objects, whose members are the columns in their order; times,
whose names end in \`_time\`, are seconds since 1970, and what isn't known is \`null\`. Long lists are printed as they arrive.
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function table(head: string, rows: readonly (readonly [string, string])[]): string[] {
  if (rows.length === 0) return [];
  const lines = rows.map(([name, meaning]) => `| ${code(name)} | ${cell(meaning)} |`);
  return [`| ${head} | |`, '|---|---|', ...lines, ''];
}

function section(command: CommandDeclaration): string[] {
  const { name, summary, description, arguments: operands = [], options = [] } = command;
  const usage = ['pierone', name, ...operands.map((operand) => operand.name)].join(' ');
  return [
    `### ${name}`,
    '',
    `${summary}.${description === undefined ? '' : ` ${description}`}`,
    '',
    `    ${usage}`,
    '',
    ...table(
      'Argument',
      operands.map((operand) => [operand.name, operand.description]),
    ),
    ...table(
      'Option',
      options.map(({ flags, description: meaning, choices }) => [
        flags,
        choices ? `${meaning} (${choices.join(', ')})` : meaning,
      ]),
    ),
    ...command.examples.flatMap(([line, meaning]) => [`    # ${meaning}`, `    pierone ${line}`]),
    '',
  ];
}

function page(): string {
  const codes = Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => `| ${exit} | ${meaning} |`);
  const lines = [
    INTRODUCTION,
    '## Exit codes',
    '',
    '| Code | Meaning |',
    '|---|---|',
    ...codes,
    '',
    'Errors are one sentence on standard error; `--debug` shows the requests and the stack behind it.',
    '',
    ...COMMAND_GROUPS.filter(({ commands }) => commands.length > 0).flatMap(
      ({ title, commands }) => [
        `## ${title}`,
        '',
        ...commands.filter(({ isHidden }) => !isHidden).flatMap(section),
      ],
    ),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

const text = page();
if (!process.argv.includes('--check')) writeFileSync(PAGE, text);
else if (!existsSync(PAGE) || readFileSync(PAGE, 'utf8') !== text) {
  console.error('docs/cli.md is not that of src/cli/declared: run npm run readme');
  process.exit(1);
}
