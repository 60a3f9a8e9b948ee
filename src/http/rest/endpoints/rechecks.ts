import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { ARTIFACT, GROUP, NOTHING, repositoryOf, TAG, tagOf } from '../schemas.ts';

const answer = z.object({ message: z.string() });
const NOT_CONFIGURED = {
  body: { message: 'Clair integration not configured, not doing anything' },
};

export const recheckTag = endpoint({
  id: 'recheckTag',
  group: GROUP.api,
  summary: 'Asks for a security check of a tag again; there is none, which the answer says.',
  method: 'POST',
  template: '/teams/{team}/artifacts/{artifact}/tags/{tag}/recheck',
  access: 'authenticated',
  path: z.object(TAG),
  query: NOTHING,
  answer,
  errors: { 404: 'There is no such tag.' },
  async handle({ context, path }) {
    await context.parts.catalog.findTag(repositoryOf(path), tagOf(path.tag));
    return NOT_CONFIGURED;
  },
});

export const recheckArtifact = endpoint({
  id: 'recheckArtifact',
  group: GROUP.api,
  summary: 'Asks for a security check of all tags again; there is none, which the answer says.',
  method: 'POST',
  template: '/teams/{team}/artifacts/{artifact}/recheck',
  access: 'authenticated',
  path: z.object(ARTIFACT),
  query: NOTHING,
  answer,
  handle: async () => NOT_CONFIGURED,
});
