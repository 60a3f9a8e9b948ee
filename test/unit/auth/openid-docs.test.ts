import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { conditionsText, openIdIssuerSchema } from '../../../src/auth/openid-issuer.ts';

const TEXT = readFileSync(new URL('../../../docs/openid-connect.md', import.meta.url), 'utf8');

/** The blocks of a language in which a text occurs. */
function blocksOf(language: string, text: string): string[] {
  const blocks = TEXT.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'));
  return [...blocks].map(([, block = '']) => block).filter((block) => block.includes(text));
}

/** As the settings become one entry of the file. */
function entryOf(block: string) {
  const lines = block.trim().split('\n');
  const set = new Map(lines.map((line) => [line.split('=', 1)[0], line.replace(/^\w+=/, '')]));
  const listOf = (name: string) => set.get(name)?.split(',');
  return {
    issuer: set.get('HTTP_OIDC_ISSUER'),
    audience: set.get('HTTP_OIDC_AUDIENCE'),
    conditions: conditionsText.parse(set.get('HTTP_OIDC_CONDITIONS') ?? ''),
    realm: set.get('HTTP_OIDC_REALM'),
    scopes: listOf('HTTP_OIDC_SCOPES'),
    teams: listOf('HTTP_OIDC_TEAMS'),
    teamsClaim: set.get('HTTP_OIDC_TEAMS_CLAIM'),
  };
}

const variables = blocksOf('sh', 'HTTP_OIDC_ISSUER=');

test('the documents have an example for each well-known issuer', () => {
  expect(variables).toHaveLength(4);
});

test.each(variables)('an example of variables makes an issuer:\n%s', (block) => {
  expect(openIdIssuerSchema.parse(entryOf(block)).realm).toMatch(/^(employees|services)$/);
});

test('the example of a file makes two issuers', () => {
  const [block = ''] = blocksOf('json', '"issuer"');
  expect(z.array(openIdIssuerSchema).parse(JSON.parse(block))).toHaveLength(2);
});

test('each field of the file is in the table of settings', () => {
  const fields = Object.keys(openIdIssuerSchema.shape);
  expect(fields.filter((field) => !TEXT.includes(`| \`${field}\` |`))).toEqual([]);
});
