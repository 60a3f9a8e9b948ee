import { AccessClient, pushImage } from '../test/support/access-client.ts';
import { bearer } from '../test/support/access-scene.ts';
import { startIdentityProvider } from '../test/support/identity-provider.ts';
import { OCI_MANIFEST } from '../test/support/sample-content.ts';
import { readOptions } from './options.ts';
import { type Registry, startOurs } from './registries.ts';
import { measureGets } from './requests.ts';
import { median, printTable } from './statistics.ts';

/*
 * Small requests to a registry without access control and to one with it, in turn: what it costs to know who asks. Exit code 1
 * when less than two thirds of the speed are left.
 */

const REPOSITORY = 'acme/app';
const LEAST = 2 / 3;
const PATHS = { 'GET /v2/': '/v2/', 'GET manifest by tag': `/v2/${REPOSITORY}/manifests/1` };

const options = readOptions({ runs: '5', seconds: '3' });
const provider = await startIdentityProvider();
provider.addEmployee({ uid: 'alice', teams: ['acme'] });
const credential = bearer(provider.issueToken('alice'));
const open = await startOurs();
const closed = await startOurs({ environment: provider.environment });
try {
  for (const { url } of [open, closed])
    await pushImage(new AccessClient(url, credential), REPOSITORY, '1');
  for (const [name, path] of Object.entries(PATHS)) await compare(name, path);
} finally {
  await Promise.all([open.stop(), closed.stop()]);
  await provider.close();
}

async function compare(name: string, path: string): Promise<void> {
  const figures = { without: [] as number[], with: [] as number[] };
  for (let run = 0; run < options.count('runs'); run += 1) {
    figures.without.push(await ask(open, path));
    figures.with.push(await ask(closed, path));
  }
  const ratio = median(figures.with) / median(figures.without);
  const shown = [figures.without, figures.with].map((each) => median(each).toFixed(0));
  printTable(
    ['requests a second', 'without', 'with', 'ratio'],
    [[name, ...shown, ratio.toFixed(2)]],
  );
  if (ratio < LEAST) process.exitCode = 1;
}

async function ask(registry: Registry, path: string): Promise<number> {
  const subject = { registry };
  const headers = { ...credential, Accept: OCI_MANIFEST };
  const { value } = await measureGets(subject, { path, headers }, options.count('seconds'), 'wrk');
  return value;
}
