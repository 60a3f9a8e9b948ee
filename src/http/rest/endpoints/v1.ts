import { z } from 'zod';
import { LATEST, parseTag } from '../../../oci/reference.ts';
import type { RepositoryName } from '../../../oci/repository-name.ts';
import type { Context } from '../../context.ts';
import { endpoint } from '../endpoint.ts';
import { objectOf } from '../reply.ts';
import { ARTIFACT, GROUP, NOTHING, repositoryOf, TAG, tagOf } from '../schemas.ts';

/*
 * What tools still ask of the protocol before /v2/. Nothing is pushed or pulled by it.
 */

/** Every answer of the protocol has them; the token is none, since a caller's own must not be sent around. */
function v1Headers({ exchange, parts }: Context): Record<string, string> {
  // What the client wrote may be anything but a host.
  const { origin = '' } = parts.proxies.clientOf(exchange);
  return {
    'X-Docker-Registry-Version': '0.6.3',
    'X-Docker-Token': 'AnonFakeToken',
    'X-Docker-Endpoints': origin.replace(/^https?:\/\//, ''),
  };
}

export const pingV1 = endpoint({
  id: 'pingV1',
  group: GROUP.v1,
  summary: 'Always true.',
  method: 'GET',
  template: '/v1/_ping',
  access: 'none',
  path: NOTHING,
  query: NOTHING,
  answer: z.boolean(),
  handle: async ({ context }) => ({ body: true, headers: v1Headers(context) }),
});

export const searchV1 = endpoint({
  id: 'searchV1',
  group: GROUP.v1,
  summary: 'Artifacts whose team or artifact has exactly this name.',
  method: 'GET',
  template: '/v1/search',
  access: 'pull',
  path: NOTHING,
  query: z.object({ q: z.string().default('') }),
  answer: z.object({
    results: z.array(z.object({ name: z.string() })),
    query: z.string(),
    page: z.number().int(),
    page_size: z.number().int(),
    num_pages: z.number().int(),
    num_results: z.number().int(),
  }),
  async handle({ context, query: { q } }) {
    const results: { name: string }[] = [];
    for await (const names of context.parts.catalog.listNamesakes(q)) {
      results.push(...names.map((name) => ({ name })));
    }
    const count = results.length;
    return {
      body: { results, query: q, page: 1, page_size: count, num_pages: 1, num_results: count },
      headers: v1Headers(context),
    };
  },
});

export const listTagsV1 = endpoint({
  id: 'listTagsV1',
  group: GROUP.v1,
  summary: 'Tags and their images; latest is the newest immutable one.',
  method: 'GET',
  template: '/v1/repositories/{team}/{artifact}/tags',
  access: 'pull',
  path: z.object(ARTIFACT),
  query: NOTHING,
  answer: z.record(z.string(), z.string()),
  errors: { 404: 'There are no tags.' },
  handle: async ({ context, path }) => ({
    stream: objectOf(entries(context, repositoryOf(path))),
    headers: v1Headers(context),
  }),
});

export const getTagV1 = endpoint({
  id: 'getTagV1',
  group: GROUP.v1,
  summary: 'The image of a tag.',
  method: 'GET',
  template: '/v1/repositories/{team}/{artifact}/tags/{tag}',
  access: 'pull',
  path: z.object(TAG),
  query: NOTHING,
  answer: z.string(),
  errors: { 404: 'There is no such tag.' },
  async handle({ context, path }) {
    const { image } = await context.parts.catalog.findTag(repositoryOf(path), tagOf(path.tag));
    return { body: image, headers: v1Headers(context) };
  },
});

const OLDEST_FIRST = { hasSignatures: false, isNewestFirst: false };

async function* entries({ parts: { catalog } }: Context, repository: RepositoryName) {
  const all = { after: undefined, limit: undefined };
  for await (const tags of catalog.listTags(repository, OLDEST_FIRST, all)) {
    yield tags.map(({ name, image }): [string, string] => [name, image]);
  }
  const latest = parseTag(LATEST);
  const newest = latest && (await catalog.findLatest(repository, latest));
  if (newest) yield [[LATEST, newest.image] as const];
}
