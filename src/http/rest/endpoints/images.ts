import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { answerList, PAGE } from '../paging.ts';
import { ALL, GROUP, partsOf } from '../schemas.ts';

export const tagInformationSchema = z.object({
  name: z.string(),
  team: z.string(),
  artifact: z.string(),
});

interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

export const findImage = endpoint({
  id: 'findImage',
  group: GROUP.api,
  summary: 'The tags that name an image, or an index that lists it.',
  method: 'GET',
  template: '/tags/{image}',
  access: 'authenticated',
  path: z.object({
    image: z
      .string()
      .describe(
        'The first digits of the digest of a manifest, index or config, with or without sha256:.',
      ),
  }),
  query: z.object({ ...ALL, ...PAGE }),
  answer: z.array(tagInformationSchema),
  errors: { 404: 'No such image has a tag.', 412: 'More than one image is meant.' },
  handle: ({ context, path, query }) =>
    answerList(context, query, {
      key: z
        .tuple([z.string(), z.string()])
        .transform(([repository, tag]): NamedTag => ({ repository, tag })),
      keyOf: ({ repository, tag }: NamedTag) => [repository, tag],
      show: ({ repository, tag }) => ({ name: tag, ...partsOf(repository) }),
      read: (part) => context.parts.catalog.listTagsOfImage(path.image, query.all === 'true', part),
    }),
});
