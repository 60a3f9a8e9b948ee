import type { Endpoint } from './endpoint.ts';
import { documentEndpoints } from './endpoints/documents.ts';
import { listEvents, listTagEvents } from './endpoints/events.ts';
import { findImage } from './endpoints/images.ts';
import { recheckArtifact, recheckTag } from './endpoints/rechecks.ts';
import { search } from './endpoints/search.ts';
import { getStatistics, getTeamStatistics, listTeamStatistics } from './endpoints/statistics.ts';
import { getScmSource, getTag, listTags } from './endpoints/tags.ts';
import { listArtifacts, listTeams } from './endpoints/teams.ts';
import { getTagV1, listTagsV1, pingV1, searchV1 } from './endpoints/v1.ts';
import { whoAmI } from './endpoints/whoami.ts';

/** Every endpoint that isn't below /v2/, in the order of the OpenAPI document. */
export const ENDPOINTS: readonly Endpoint[] = [
  listTeams,
  listArtifacts,
  listTags,
  getTag,
  getScmSource,
  listTagEvents,
  recheckTag,
  recheckArtifact,
  findImage,
  search,
  listEvents,
  getStatistics,
  listTeamStatistics,
  getTeamStatistics,
  whoAmI,
  pingV1,
  searchV1,
  listTagsV1,
  getTagV1,
  ...documentEndpoints(() => ENDPOINTS),
];
