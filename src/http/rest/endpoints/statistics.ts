import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { answerList, PAGE } from '../paging.ts';
import { ALL, GROUP, NOTHING, TEAM } from '../schemas.ts';

export const overallStatisticsSchema = z.object({
  teams: z.number().int(),
  storage: z.number().int().nullable().describe('Bytes of all blobs, null when there is none.'),
});
export const teamStatisticSchema = z.object({
  artifacts: z.number().int(),
  tags: z.number().int(),
});
export const teamStatisticsSchema = z.object({ team: z.string(), stats: teamStatisticSchema });

interface Statistics {
  readonly team: string;
  readonly artifacts: number;
  readonly tags: number;
}

export const getStatistics = endpoint({
  id: 'getStatistics',
  group: GROUP.api,
  summary: 'How many teams have a tag, and how many bytes all have pushed.',
  method: 'GET',
  template: '/stats',
  access: 'authenticated',
  path: NOTHING,
  query: NOTHING,
  answer: overallStatisticsSchema,
  async handle({ context }) {
    const { teams, storageBytes } = await context.parts.catalog.overall();
    return { body: { teams, storage: storageBytes ?? null } };
  },
});

export const listTeamStatistics = endpoint({
  id: 'listTeamStatistics',
  group: GROUP.api,
  summary: 'Artifacts and tags of each team, sorted by team.',
  method: 'GET',
  template: '/stats/teams',
  access: 'authenticated',
  path: NOTHING,
  query: z.object({ ...ALL, ...PAGE }),
  answer: z.array(teamStatisticsSchema),
  handle: ({ context, query }) =>
    answerList(context, query, {
      key: z.string(),
      keyOf: ({ team }: Statistics) => team,
      show: ({ team, artifacts, tags }) => ({ team, stats: { artifacts, tags } }),
      read: (part) => context.parts.catalog.listTeamStatistics(query.all === 'true', part),
    }),
});

export const getTeamStatistics = endpoint({
  id: 'getTeamStatistics',
  group: GROUP.api,
  summary: 'Artifacts and tags of a team; zeros where there is no such team.',
  method: 'GET',
  template: '/stats/teams/{team}',
  access: 'authenticated',
  path: z.object(TEAM),
  query: z.object(ALL),
  answer: teamStatisticSchema,
  async handle({ context, path, query }) {
    const { catalog } = context.parts;
    const { artifacts, tags } = await catalog.teamStatistics(path.team, query.all === 'true');
    return { body: { artifacts, tags } };
  },
});
