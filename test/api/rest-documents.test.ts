import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { CheckedClient, openRestFixture } from '../support/checked-client.ts';
import { RestDocument } from '../support/rest-documents.ts';
import type { RegistryFixture } from '../support/test-registry.ts';

const pathsSchema = z.record(z.string(), z.record(z.string(), z.unknown()));

let fixture: RegistryFixture;

beforeAll(async () => {
  fixture = await openRestFixture();
});

afterAll(() => fixture?.close());

async function read(path: string): Promise<Record<string, unknown>> {
  const { body } = await fixture.registry.api.send('GET', path);
  return z.record(z.string(), z.unknown()).parse(JSON.parse(body.toString()));
}

describe.each([
  ['/openapi.json', '3.1'],
  ['/swagger.json', '2.0'],
])('%s', (path, version) => {
  test(`is a valid document of version ${version}`, async () => {
    const validator = new Validator();
    expect(await validator.validate(await read(path))).toEqual({ valid: true });
    expect(validator.version).toBe(version);
  });

  test('would not be one with a mistake in it', async () => {
    const { info: _, ...headless } = await read(path);
    expect(await new Validator().validate(headless)).toMatchObject({ valid: false });
  });

  test('refers to nothing that it lacks', async () => {
    const document = await read(path);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [, pointer = ''] of references) {
      const target = pointer.split('/').reduce<unknown>((value, step) => {
        return Object.entries(Object(value)).find(([name]) => name === step)?.[1];
      }, document);
      expect(target, pointer).toBeTypeOf('object');
    }
  });
});

test('the document has every endpoint of the original, and those that are new', async () => {
  const { paths } = z.object({ paths: pathsSchema }).parse(await read('/openapi.json'));
  const operations = Object.entries(paths).flatMap(([template, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${template}`),
  );
  expect(operations).toEqual(
    expect.arrayContaining([
      'GET /teams',
      'GET /teams/{team}/artifacts',
      'GET /teams/{team}/artifacts/{artifact}/tags',
      'GET /teams/{team}/artifacts/{artifact}/tags/{tag}',
      'GET /teams/{team}/artifacts/{artifact}/tags/{tag}/events',
      'GET /teams/{team}/artifacts/{artifact}/tags/{tag}/scm-source',
      'POST /teams/{team}/artifacts/{artifact}/tags/{tag}/recheck',
      'POST /teams/{team}/artifacts/{artifact}/recheck',
      'GET /tags/{image}',
      'GET /stats',
      'GET /stats/teams',
      'GET /stats/teams/{team}',
      'GET /events',
      'GET /search',
      'GET /whoami',
    ]),
  );
});

test('a test fails when it gets an answer that the document does not have', async () => {
  const document = await read('/openapi.json');
  const { '/stats': stats, ...paths } = pathsSchema.parse(document['paths']);
  expect(stats).toBeDefined();
  const { url } = fixture.registry;
  const api = new CheckedClient(url, new RestDocument({ ...document, paths }));
  await expect(api.send('GET', '/teams')).resolves.toMatchObject({ status: 200 });
  await expect(api.send('GET', '/stats')).rejects.toThrow(/GET \/stats .*no such operation/);
});
