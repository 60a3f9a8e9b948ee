import { z } from 'zod';
import type { Context } from '../../context.ts';
import { badInput, endpoint } from '../endpoint.ts';
import { answerList, ORDER, PAGE, type PageQuery } from '../paging.ts';
import type { Reply } from '../reply.ts';
import { GROUP, NOTHING, partsOf, repositoryOf, TAG, tagOf, time } from '../schemas.ts';

const KINDS = ['created', 'replaced', 'refused', 'denied'] as const;

export const tagEventSchema = z.object({
  id: z.string().describe('Rises with time.'),
  kind: z.enum(KINDS),
  team: z.string(),
  artifact: z.string(),
  tag: z.string().nullable(),
  digest: z.string().nullable().describe('What the tag names since then, or should have named.'),
  previous_digest: z.string().nullable().describe('What it named before.'),
  reason: z.string().nullable().describe('Why it was refused.'),
  uid: z.string(),
  realm: z.string().optional(),
  issuer: z.string().optional(),
  happened: time,
  repetitions: z.number().int().describe('The same refusal is counted in one event.'),
  last_happened: time,
});

const filterTime = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2016-05-19T15:23:41.065Z' })
  .transform((text) => new Date(text));

const FILTER = {
  team: z.string().optional(),
  artifact: z.string().optional().describe('Of the team.'),
  tag: z.string().optional().describe('Of the artifact.'),
  kind: z.enum(KINDS, `must be one of ${KINDS.join(', ')}`).optional(),
  uid: z.string().optional().describe('Who did it.'),
  since: filterTime.optional().describe('From then on.'),
  until: filterTime.optional().describe('Before then.'),
};
const filterSchema = z.object(FILTER);

type Catalog = Context['parts']['catalog'];
type Batches = ReturnType<Catalog['listEvents']>;
type TagEvent = Batches extends AsyncIterable<readonly (infer Event)[]> ? Event : never;

export const listTagEvents = endpoint({
  id: 'listTagEvents',
  group: GROUP.api,
  summary: 'What happened to a tag, oldest first.',
  method: 'GET',
  template: '/teams/{team}/artifacts/{artifact}/tags/{tag}/events',
  access: 'authenticated',
  path: z.object(TAG),
  query: z.object({ ...ORDER, ...PAGE }),
  answer: z.array(tagEventSchema),
  errors: { 404: 'Nothing ever happened to such a tag.' },
  handle: async ({ context, path, query }) =>
    answerEvents(context, query, (isNewestFirst, part) => {
      const [repository, tag] = [repositoryOf(path), tagOf(path.tag)];
      return context.parts.catalog.listTagEvents(repository, tag, isNewestFirst, part);
    }),
});

export const listEvents = endpoint({
  id: 'listEvents',
  group: GROUP.api,
  summary:
    'The audit trail, oldest first. Whoever goes on from the last page, as its Link says, misses nothing.',
  method: 'GET',
  template: '/events',
  access: 'authenticated',
  path: NOTHING,
  query: z.object({ ...FILTER, ...ORDER, ...PAGE }),
  answer: z.array(tagEventSchema),
  handle: async ({ context, query }) => {
    const filter = readFilter(query);
    return answerEvents(context, query, (isNewestFirst, part) =>
      context.parts.catalog.listEvents(filter, isNewestFirst, part),
    );
  },
});

/** A tag is one of an artifact, and that one of a team. */
function readFilter({ team, artifact, tag, ...others }: z.output<typeof filterSchema>) {
  const { kind, uid, since, until } = others;
  if (artifact !== undefined && team === undefined) throw badInput('artifact: needs team, too');
  if (tag !== undefined && artifact === undefined) throw badInput('tag: needs artifact, too');
  const place = artifact === undefined ? { team } : { repository: `${team}/${artifact}` };
  return { ...place, tag, kind, uid, since, until };
}

function answerEvents(
  context: Context,
  query: PageQuery & { order?: 'asc' | 'desc' | undefined },
  list: (
    isNewestFirst: boolean,
    part: { after: string | undefined; limit: number | undefined },
  ) => Batches,
): Promise<Reply<z.input<typeof tagEventSchema>[]>> {
  const isNewestFirst = query.order === 'desc';
  return answerList(context, query, {
    // The database's ids have 64 bits.
    key: z.string().regex(/^\d{1,18}$/),
    keyOf: ({ id }: TagEvent) => id,
    show: showEvent,
    isGrowing: !isNewestFirst,
    read: (part) => list(isNewestFirst, part),
  });
}

function showEvent(event: TagEvent): z.input<typeof tagEventSchema> {
  const { realm, issuer } = event;
  return {
    id: event.id,
    kind: event.kind,
    ...partsOf(event.repository),
    tag: event.tag ?? null,
    digest: event.digest ?? null,
    previous_digest: event.previousDigest ?? null,
    reason: event.reason ?? null,
    uid: event.uid,
    ...(realm === undefined ? {} : { realm }),
    ...(issuer === undefined ? {} : { issuer }),
    happened: event.happened.toISOString(),
    repetitions: event.repetitions,
    last_happened: event.lastHappened.toISOString(),
  };
}
