import type { ArgumentDeclaration, CommandDeclaration } from '../command.ts';

const TEAM: ArgumentDeclaration = {
  name: '<team>',
  description: 'the first part of names of images: acme in acme/shop',
};
const ARTIFACT: ArgumentDeclaration = {
  name: '<artifact>',
  description: 'the rest of the name: shop in acme/shop, or shop/web in acme/shop/web',
};

export const IMAGE_COMMANDS: readonly CommandDeclaration[] = [
  {
    name: 'teams',
    summary: 'List the teams that have images',
    examples: [
      ['teams', 'a team a line, sorted'],
      ['teams -o json', 'the same for programs: [{"name": "acme"}, ...]'],
    ],
    load: () => import('../commands/teams.ts'),
  },
  {
    name: 'artifacts',
    summary: "List a team's artifacts: its images, without their tags",
    arguments: [TEAM],
    examples: [['artifacts acme', 'an artifact of acme a line, sorted']],
    load: () => import('../commands/artifacts.ts'),
  },
  {
    name: 'tags',
    summary: 'List tags, with who pushed them and when',
    description:
      'The newest tag comes last. Status is for registries that check images; others say Not Processed.',
    arguments: [
      TEAM,
      { name: '[artifact...]', description: 'of the team; all of them if none is given' },
    ],
    options: [
      {
        flags: '-l, --limit <n>',
        description:
          'newest tags to show of each artifact; 0: all (default: 20, or 3 if no artifact is given)',
      },
    ],
    examples: [
      ['tags acme shop', 'the newest 20 tags of acme/shop'],
      ['tags acme -l 1', 'the newest tag of each artifact of acme'],
      ['tags acme shop/web -l 0 -o json', 'all tags of acme/shop/web, for programs'],
    ],
    load: () => import('../commands/tags.ts'),
  },
  {
    name: 'latest',
    summary: "Print an artifact's latest tag",
    description:
      'That is the newest one that can never change: what docker pulls as latest. In every output format it is the name alone.',
    arguments: [TEAM, ARTIFACT],
    examples: [['latest acme shop', 'such as 1.7; exit code 1 if there is none']],
    load: () => import('../commands/latest.ts'),
  },
  {
    name: 'scm-source',
    summary: 'Show which revision of the source tags were built from',
    description: 'A tag whose source is not known has empty columns.',
    arguments: [
      TEAM,
      ARTIFACT,
      { name: '[tag...]', description: 'of the artifact; all of them if none is given' },
    ],
    options: [
      {
        flags: '-l, --limit <n>',
        description: 'newest tags to show if none is given (default: all)',
      },
    ],
    examples: [
      [
        'scm-source acme shop 1.7',
        'URL, revision, author and status of the source of acme/shop:1.7',
      ],
      ['scm-source acme shop -l 5', 'of its newest five tags'],
    ],
    load: () => import('../commands/scm-source.ts'),
  },
  {
    name: 'image',
    summary: 'Find the tags of an image by its digest',
    description: 'An image that is not found is told, and is no error.',
    arguments: [
      {
        name: '<image>',
        description:
          'the first digits of the digest of the image (docker images --digests) or of its configuration (docker images), with or without sha256: in front',
      },
    ],
    examples: [['image sha256:0a3f5c', 'teams, artifacts and tags of the image that begins so']],
    load: () => import('../commands/image.ts'),
  },
  {
    name: 'search',
    summary: 'Search artifacts by the beginning of a word',
    arguments: [
      {
        name: '<text>',
        description: 'what a word of the name begins with, or a name with its team',
      },
    ],
    examples: [
      ['search shop', 'finds acme/shop, acme/my-shop, acme/shopping and shop/web'],
      ['search acme/sh', 'finds those of acme whose name begins with sh'],
    ],
    load: () => import('../commands/search.ts'),
  },
  {
    name: 'events',
    summary: 'Show the audit trail: what was pushed, replaced and refused',
    description:
      'The newest event comes last. JSON and tsv also have ids, digests and repetitions.',
    arguments: [
      { name: '[team]', description: 'only what happened to images of the team' },
      { name: '[artifact]', description: 'only to this artifact of the team' },
      { name: '[tag]', description: 'only to this tag of the artifact' },
    ],
    options: [
      {
        flags: '-k, --kind <kind>',
        description:
          'created: a new tag; replaced: a mutable tag; refused: a tag that is there already; denied: somebody who may not push.',
        choices: ['created', 'replaced', 'refused', 'denied'],
      },
      { flags: '-b, --by <uid>', description: 'only what this user or service did' },
      {
        flags: '--since <time>',
        description:
          'from then on: an age such as 30m, 12h, 7d, or a time such as 2026-01-31 or 2026-01-31T12:00Z',
      },
      { flags: '--until <time>', description: 'before then' },
      { flags: '-l, --limit <n>', description: 'newest events to show; 0: all (default: 20)' },
    ],
    examples: [
      ['events acme shop --since 7d', 'what happened to acme/shop in a week'],
      ['events --kind denied', 'who tried to push where they may not'],
      ['events acme -l 0 -o json', 'all that ever happened to images of acme'],
    ],
    load: () => import('../commands/events.ts'),
  },
  {
    name: 'mark-production-ready',
    summary: 'Mark a tag as ready for production, in registries that check images',
    isHidden: true,
    arguments: [
      { name: '<incident>', description: 'why, as in INC-42' },
      TEAM,
      ARTIFACT,
      { name: '<tag>', description: 'of the artifact' },
    ],
    examples: [['mark-production-ready INC-42 acme shop 1.7', 'in spite of what the check says']],
    load: () => import('../commands/mark-production-ready.ts'),
  },
  {
    name: 'cves',
    summary: 'Does nothing: kept for scripts that call it',
    isHidden: true,
    arguments: [TEAM, ARTIFACT, { name: '<tag>', description: 'of the artifact' }],
    examples: [['cves acme shop 1.7', 'says that it does nothing, with exit code 0']],
    load: () => import('../commands/cves.ts'),
  },
];
