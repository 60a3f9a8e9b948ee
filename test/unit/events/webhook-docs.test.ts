import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { cloudEvent } from '../../../src/events/cloud-event.ts';
import { parseWebhooks } from '../../../src/events/webhooks-file-content.ts';
import { PREVIOUS_DIGEST, registryEvent } from '../../support/registry-events.ts';
import { tagOf } from '../../support/vocabulary.ts';

/* docs/webhooks.md shows what is so. */

let page: string;

beforeAll(async () => {
  page = await readFile(new URL('../../../docs/webhooks.md', import.meta.url), 'utf8');
});

test('its file of webhooks is one', () => {
  const [, file = ''] = /```json\n([^]+?)```/.exec(page) ?? [];
  const { webhooks, problems } = parseWebhooks('webhooks.json', file);
  expect(problems).toEqual([]);
  expect(webhooks.map((webhook) => webhook?.name)).toEqual(['deploy', 'security', 'scanner']);
});

test('its call has the body of an event', () => {
  const [, body = ''] = /\nwebhook-signature: .*\n\n([^]+?)```/.exec(page) ?? [];
  const event = registryEvent({
    kind: 'replaced',
    tag: tagOf('1.0-SNAPSHOT'),
    previousDigest: PREVIOUS_DIGEST,
  });
  expect(JSON.parse(body)).toEqual(JSON.parse(cloudEvent(event, 'https://pierone.example.org')));
  expect(page).toContain(`webhook-id: ${event.id}`);
  expect(page).toContain(`webhook-timestamp: ${Math.floor(event.happened.getTime() / 1000)}`);
});
