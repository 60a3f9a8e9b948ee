import type { ArgumentDeclaration, CommandDeclaration } from '../command.ts';

const TEAM: ArgumentDeclaration = { name: '<team>', description: 'as pierone teams lists them' };
const ARTIFACT: ArgumentDeclaration = {
  name: '<artifact>',
  description: 'as pierone artifacts lists them',
};
const TAG: ArgumentDeclaration = { name: '<tag>', description: 'as pierone tags lists them' };

export const DETAIL_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'inspect-contents',
    summary: 'List the files in the layers of images',
    description:
      'Layers are read as they come, from the topmost one down, and not stored. Without a tag it looks into all tags. Sizes are in bytes; files that a layer removes are listed with .wh. before their name.',
    arguments: [
      TEAM,
      ARTIFACT,
      { name: '[tag...]', description: 'tags or digests (default: all tags)' },
    ],
    options: [
      {
        flags: '-l, --limit <n>',
        description: 'layers of each tag; those without files do not count (default: 1)',
      },
      {
        flags: '--platform <platform>',
        description: 'of an image for several, as in linux/arm64 (default: that of this machine)',
      },
    ],
    examples: [
      ['inspect-contents acme app 1.0', 'the files of the topmost layer'],
      ['inspect-contents acme app 1.0 -l 99 -o tsv', 'those of all layers, for programs'],
    ],
    load: () => import('../commands/inspect-contents.ts'),
  },
  {
    name: 'describe',
    summary: 'Show all that is known of a tag',
    description:
      'Its digest, size, platforms, who pushed it when, from which source, and what refers to it, such as signatures.',
    arguments: [TEAM, ARTIFACT, TAG],
    examples: [
      ['describe acme app 1.0', 'for people'],
      ['describe acme app latest -o json', 'the answer of the registry, for programs'],
    ],
    load: () => import('../commands/describe.ts'),
  },
  {
    name: 'cves',
    summary: 'Deprecated: vulnerabilities are not known any more',
    arguments: [TEAM, ARTIFACT, { name: '[tag...]', description: 'tags' }],
    examples: [['cves acme app 1.0', 'says that it is deprecated']],
    isHidden: true,
    load: () => import('../commands/cves.ts'),
  },
  {
    name: 'mark-production-ready',
    summary: 'Deprecated: the registry keeps no such mark',
    arguments: [{ name: '<incident>', description: 'as in INC-123' }, TEAM, ARTIFACT, TAG],
    examples: [['mark-production-ready INC-1 acme app 1.0', 'says that it is deprecated']],
    isHidden: true,
    load: () => import('../commands/mark-production-ready.ts'),
  },
];
