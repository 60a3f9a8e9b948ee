import type { ArgumentDeclaration, CommandDeclaration } from '../command.ts';

const TEAM: ArgumentDeclaration = {
  name: '<team>',
  description: 'the first part of names of images: acme in acme/shop',
};
const ARTIFACT: ArgumentDeclaration = {
  name: '<artifact>',
  description: 'the rest of the name: shop in acme/shop, or shop/web in acme/shop/web',
};
const TAG: ArgumentDeclaration = { name: '<tag>', description: 'of the artifact' };

export const DETAIL_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'inspect-contents',
    summary: 'List the files in the layers of images',
    description:
      'Layers are read as they come, from the topmost one down, and not stored. Sizes are in bytes; files that a layer removes are listed with .wh. before their name.',
    arguments: [
      TEAM,
      ARTIFACT,
      {
        name: '[tag...]',
        description: 'of the artifact, or digests; all of its tags if none is given',
      },
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
      ['inspect-contents acme shop 1.7', 'the files of the topmost layer'],
      ['inspect-contents acme shop 1.7 -l 99 -o tsv', 'those of all layers, for programs'],
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
      ['describe acme shop 1.7', 'for people'],
      ['describe acme shop latest -o json', 'the answer of the registry, for programs'],
    ],
    load: () => import('../commands/describe.ts'),
  },
];
