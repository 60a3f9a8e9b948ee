import type { z } from 'zod';
import { tagEventSchema } from './endpoints/events.ts';
import { tagInformationSchema } from './endpoints/images.ts';
import { foundArtifactSchema } from './endpoints/search.ts';
import {
  overallStatisticsSchema,
  teamStatisticSchema,
  teamStatisticsSchema,
} from './endpoints/statistics.ts';
import { scmSourceSchema, tagDetailsSchema, tagSummarySchema } from './endpoints/tags.ts';
import { callerSchema } from './endpoints/whoami.ts';
import { errorSchema } from './schemas.ts';

/** What the documents call the schemas that have a name there. */
export const NAMED_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  Error: errorSchema,
  TagSummary: tagSummarySchema,
  TagDetails: tagDetailsSchema,
  ScmSourceInformation: scmSourceSchema,
  TagInformation: tagInformationSchema,
  TagEvent: tagEventSchema,
  FoundArtifact: foundArtifactSchema,
  OverallStatistics: overallStatisticsSchema,
  TeamStatistic: teamStatisticSchema,
  TeamStatistics: teamStatisticsSchema,
  Caller: callerSchema,
};
