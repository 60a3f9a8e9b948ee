import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { answerList, PAGE } from '../paging.ts';
import { GROUP, NOTHING, partsOf } from '../schemas.ts';

export const foundArtifactSchema = z.object({
  name: z.string().describe('TEAM/ARTIFACT, as in docker pull.'),
  team: z.string(),
  artifact: z.string(),
});

interface Found {
  readonly name: string;
  readonly word: string;
}

export const search = endpoint({
  id: 'search',
  group: GROUP.api,
  summary: 'Artifacts that have a tag and whose name has the text at the beginning of a word.',
  method: 'GET',
  template: '/search',
  access: 'pull',
  path: NOTHING,
  query: z.object({
    q: z
      .string('is missing: it is the text to look for')
      .min(1, 'is empty: it is the text to look for')
      .max(255, 'is longer than any name')
      .describe('app finds acme/app, acme/my-app and app/web; acme/a finds the first.'),
    ...PAGE,
  }),
  answer: z.array(foundArtifactSchema),
  handle: ({ context, query }) =>
    answerList(context, query, {
      key: z.tuple([z.string(), z.string()]).transform(([word, name]): Found => ({ word, name })),
      keyOf: ({ word, name }: Found) => [word, name],
      show: ({ name }) => ({ name, ...partsOf(name) }),
      read: (part) => context.parts.catalog.search(query.q, part),
    }),
});
