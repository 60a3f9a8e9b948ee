import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { answerList, pageSchema } from '../paging.ts';
import { GROUP, NOTHING, TEAM } from '../schemas.ts';

const names = z.array(z.string());
const list = { key: z.string(), keyOf: (name: string) => name, show: (name: string) => name };

export const listTeams = endpoint({
  id: 'listTeams',
  group: GROUP.api,
  summary: 'The teams that have a tag, sorted.',
  method: 'GET',
  template: '/teams',
  access: 'pull',
  path: NOTHING,
  query: pageSchema,
  answer: names,
  handle: ({ context, query }) =>
    answerList(context, query, { ...list, read: (part) => context.parts.catalog.listTeams(part) }),
});

export const listArtifacts = endpoint({
  id: 'listArtifacts',
  group: GROUP.api,
  summary: 'The artifacts of a team that have a tag, sorted.',
  method: 'GET',
  template: '/teams/{team}/artifacts',
  access: 'pull',
  path: z.object(TEAM),
  query: pageSchema,
  answer: names,
  handle: ({ context, path, query }) =>
    answerList(context, query, {
      ...list,
      read: (part) => context.parts.catalog.listArtifacts(path.team, part),
    }),
});
