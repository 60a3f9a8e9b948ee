import { expect, test } from 'vitest';
import { type Webhook, WebhookSink } from '../../../src/events/webhook-sink.ts';
import { REGISTRY_EVENT_KINDS } from '../../../src/oci/registry-event.ts';
import { repositoryOf } from '../../support/vocabulary.ts';

const ALL = new Set(REGISTRY_EVENT_KINDS);

function sinkOf(changes: Partial<Webhook>): WebhookSink {
  const webhook: Webhook = {
    name: 'deploy',
    url: new URL('https://deploy.example.org:8443/s3cret?token=s3cret'),
    format: 'cloudevents',
    teams: undefined,
    kinds: ALL,
    keys: [Buffer.from('s3cret')],
    headers: { authorization: 's3cret' },
    timeoutMs: 1000,
    ca: undefined,
    ...changes,
  };
  return new WebhookSink(webhook, { externalUrl: undefined, concurrency: 1 });
}

const inTeam = (team: string) => repositoryOf(`${team}/app`);

test('its name and description tell operators which one it is, and no secret', () => {
  const { name, description } = sinkOf({});
  expect(name).toBe('webhook:deploy');
  expect(description).toBe('webhook at https://deploy.example.org:8443, format cloudevents');
});

test('without teams events of every team are accepted, and those of none', () => {
  const sink = sinkOf({});
  for (const kind of REGISTRY_EVENT_KINDS) {
    expect(sink.accepts({ kind, repository: inTeam('acme') })).toBe(true);
    expect(sink.accepts({ kind, repository: undefined })).toBe(true);
  }
});

test('kinds that were not asked for are not accepted', () => {
  const sink = sinkOf({ kinds: new Set(['created', 'denied']) });
  const accepted = REGISTRY_EVENT_KINDS.filter((kind) =>
    sink.accepts({ kind, repository: inTeam('acme') }),
  );
  expect(accepted).toEqual(['created', 'denied']);
});

test('with teams only their events are accepted', () => {
  const sink = sinkOf({ teams: new Set(['acme', 'shop']) });
  const accepts = (team: string) => sink.accepts({ kind: 'created', repository: inTeam(team) });
  expect(['acme', 'shop', 'acme2', 'ac', 'constructor'].filter(accepts)).toEqual(['acme', 'shop']);
  expect(sink.accepts({ kind: 'created', repository: repositoryOf('shop/acme/app') })).toBe(true);
  expect(sink.accepts({ kind: 'created', repository: repositoryOf('other/acme/app') })).toBe(false);
  expect(sink.accepts({ kind: 'login-refused', repository: undefined })).toBe(false);
});
