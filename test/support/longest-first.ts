import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long, the longest first: begun last, they would be waited for when all others are done. */
const LONG = [
  'e2e/clients.file',
  'e2e/clients.s3',
  'e2e/container',
  'e2e/two-instances',
  'e2e/docker-details',
  'e2e/access-clients',
  'e2e/scm-source',
  // It wants some of the processors: those that follow wait more than others.
  'integration/s3-faults-network',
  'contract/transport.node',
  'contract/transport.uws',
  'e2e/nginx',
  'e2e/slow-clients.node',
  'e2e/slow-clients.uws',
  'integration/s3-faults-memory',
  'integration/faults-database-load',
  'integration/mutations',
  'integration/sink-outages',
  'integration/access-memory',
  'integration/embedded-postgres',
  'integration/access-leaks',
  'integration/s3-start',
  'integration/whole-lists',
  'integration/compaction',
];

/** The order in which the files of a group begin: the same everywhere, whatever a cache says of earlier runs. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const place = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? LONG.length : place;
}
