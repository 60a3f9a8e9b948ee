import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long, the longest first: begun last, they would be waited for when all others are done. */
const LONG = [
  'e2e/clients',
  'e2e/nginx',
  'e2e/two-instances',
  'e2e/docker-details',
  'e2e/access-clients',
  'integration/s3-faults-network',
  'integration/s3-faults-memory',
  'integration/faults-database-load',
  'integration/access-memory',
  'integration/mutations',
  'integration/whole-lists',
  'integration/embedded-postgres',
  'contract/transport.node',
  'contract/transport.uws',
  'contract/s3-driver',
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
