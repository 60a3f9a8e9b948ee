import { z } from 'zod';
import type { FoundScmSource } from '../../../oci/scm-source.ts';
import { scmProblem, type TagReport } from '../../../registry/tag-reports.ts';
import { endpoint } from '../endpoint.ts';
import { answerList, ORDER, PAGE } from '../paging.ts';
import { ALL, ARTIFACT, GROUP, NOTHING, repositoryOf, TAG, tagOf, time } from '../schemas.ts';

type Summary = Pick<TagReport, 'name' | 'created' | 'createdBy' | 'image'>;

const SUMMARY = {
  name: z.string(),
  created: time,
  created_by: z.string(),
  image: z.string().describe("The config's digest; of an index, its own digest."),
  clair_id: z.string().nullable(),
  clair_details: z.string().nullable(),
  severity_fix_available: z.string().nullable(),
  severity_no_fix_available: z.string().nullable(),
};
export const tagSummarySchema = z.object(SUMMARY);

const platformSchema = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().optional(),
});
const referrerSchema = z.object({
  digest: z.string(),
  media_type: z.string(),
  artifact_type: z.string().nullable(),
  size: z.number().int(),
});
export const scmSourceSchema = z.object({
  url: z.string(),
  revision: z.string(),
  author: z.string(),
  status: z.string(),
  created: time,
});
export const tagDetailsSchema = z.object({
  ...SUMMARY,
  team: z.string(),
  artifact: z.string(),
  digest: z.string().describe('Of the manifest or index that the tag names.'),
  media_type: z.string(),
  size: z.number().int().describe('Bytes of all layers, each counted once.'),
  mutability: z.enum(['immutable', 'mutable', 'append-only']),
  platforms: z.array(platformSchema),
  scm_source: scmSourceSchema.nullable(),
  scm_source_problem: z
    .string()
    .nullable()
    .describe('Why no source, or not every part of it, is known.'),
  referrers: z.array(referrerSchema).describe('The first 100; /v2/ lists all.'),
});

export const listTags = endpoint({
  id: 'listTags',
  group: GROUP.api,
  summary: 'The tags of an artifact, oldest first unless the order says else.',
  method: 'GET',
  template: '/teams/{team}/artifacts/{artifact}/tags',
  access: 'pull',
  path: z.object(ARTIFACT),
  query: z.object({ ...ALL, ...ORDER, ...PAGE }),
  answer: z.array(tagSummarySchema),
  errors: { 404: 'There are no tags.' },
  handle: async ({ context, path, query }) =>
    answerList(context, query, {
      key: z.iso.datetime().transform((text) => new Date(text)),
      keyOf: (tag: Summary) => tag.created.toISOString(),
      show: showSummary,
      read(part) {
        const choice = {
          hasSignatures: query.all === 'true',
          isNewestFirst: query.order === 'desc',
        };
        return context.parts.catalog.listTags(repositoryOf(path), choice, part);
      },
    }),
});

export const getTag = endpoint({
  id: 'getTag',
  group: GROUP.api,
  summary: 'All that is known of a tag.',
  method: 'GET',
  template: '/teams/{team}/artifacts/{artifact}/tags/{tag}',
  access: 'pull',
  path: z.object(TAG),
  query: NOTHING,
  answer: tagDetailsSchema,
  errors: { 404: 'There is no such tag.' },
  async handle({ context, path }) {
    const report = await context.parts.tagReports.report(repositoryOf(path), tagOf(path.tag));
    return { body: { ...showReport(report), team: path.team, artifact: path.artifact } };
  },
});

export const getScmSource = endpoint({
  id: 'getScmSource',
  group: GROUP.api,
  summary: 'What a tag was built from.',
  method: 'GET',
  template: '/teams/{team}/artifacts/{artifact}/tags/{tag}/scm-source',
  access: 'pull',
  path: z.object(TAG),
  query: NOTHING,
  answer: scmSourceSchema,
  errors: { 404: 'There is no such tag, or its source is not known.' },
  async handle({ context, path }) {
    const { tagReports } = context.parts;
    return { body: showSource(await tagReports.scmSource(repositoryOf(path), tagOf(path.tag))) };
  },
});

function showSummary({ name, created, createdBy, image }: Summary) {
  return {
    name,
    created: created.toISOString(),
    created_by: createdBy,
    image,
    clair_id: null,
    clair_details: null,
    severity_fix_available: null,
    severity_no_fix_available: null,
  };
}

function showSource({ url, revision, author, status, created }: FoundScmSource) {
  return { url, revision, author, status, created: created.toISOString() };
}

function showReport(report: TagReport) {
  const { scm } = report;
  return {
    ...showSummary(report),
    digest: report.digest,
    media_type: report.mediaType,
    size: report.layersBytes,
    mutability: report.mutability,
    platforms: [...report.platforms],
    scm_source: scm?.source ? showSource(scm.source) : null,
    scm_source_problem: (scm && scmProblem(scm)) ?? null,
    referrers: report.referrers.map(({ digest, mediaType, artifactType, sizeBytes }) => ({
      digest,
      media_type: mediaType,
      artifact_type: artifactType ?? null,
      size: sizeBytes,
    })),
  };
}
