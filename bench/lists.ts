import { performance } from 'node:perf_hooks';
import { migrate } from '../src/meta/pg/migrate.ts';
import { generateCatalog, MANY_TAGS } from '../test/support/generated-catalog.ts';
import type { HttpClient } from '../test/support/http-client.ts';
import {
  createDatabase,
  makeStorage,
  startRegistry,
  type TestRegistry,
} from '../test/support/test-registry.ts';
import { readOptions } from './options.ts';
import { startPostgres } from './services.ts';
import { median, printTable } from './statistics.ts';

/** Most that a page may cost, as a multiple of the same page of a small registry. */
const TARGET = 1.5;

const options = readOptions({ rounds: '300', tags: '100000', repositories: '20000' });
const rounds = options.count('rounds');
const [team, artifact = ''] = MANY_TAGS.split('/');
const AFTER_HALF = 'last=tag-5';
const PAGES = {
  'tags, first page': `/teams/${team}/artifacts/${artifact}/tags?limit=100`,
  teams: '/teams?limit=100',
  'artifacts of a team': '/teams/team-007/artifacts?limit=100',
  search: '/search?q=artifact&limit=100',
  'statistics of a team': '/stats/teams/team-007',
  '/v2 tags/list, in the middle': `/v2/${MANY_TAGS}/tags/list?n=100&${AFTER_HALF}`,
  '/v2 _catalog': '/v2/_catalog?n=100&last=team-007',
};

const postgres = await startPostgres();
const storage = await makeStorage();
const small = await open(1000, 1000);
const large = await open(options.count('repositories'), options.count('tags'));
try {
  const rows: string[][] = [];
  for (const [name, path] of Object.entries(PAGES)) rows.push(await compare(name, path));
  printTable(['page', 'small ms', 'large ms', 'ratio', 'result'], rows);
  if (rows.some((row) => row.includes('fail'))) process.exitCode = 1;
} finally {
  await Promise.all([small.close(), large.close()]);
  await storage.remove();
  await postgres.stop();
}

async function open(repositories: number, tags: number): Promise<TestRegistry> {
  const databaseUrl = await createDatabase(postgres.url);
  await migrate(databaseUrl);
  await generateCatalog(databaseUrl, { repositories, tags });
  return startRegistry({ databaseUrl, directory: `${storage.path}-${repositories}` });
}

/** Asks both in turn, so that what else runs on the machine slows both. */
async function compare(name: string, path: string): Promise<string[]> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    times[0].push(await timeOf(small.api, path));
    times[1].push(await timeOf(large.api, path));
  }
  const [ofSmall, ofLarge] = [median(times[0]), median(times[1])];
  const ratio = ofLarge / ofSmall;
  const result = ratio <= TARGET ? 'ok' : 'fail';
  return [name, ofSmall.toFixed(2), ofLarge.toFixed(2), ratio.toFixed(2), result];
}

async function timeOf(api: HttpClient, path: string): Promise<number> {
  const begin = performance.now();
  const { status, body } = await api.send('GET', path);
  if (status !== 200 || body.length === 0) throw new Error(`${status} for ${path}`);
  return performance.now() - begin;
}
