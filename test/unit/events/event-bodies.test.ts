import { describe, expect, test } from 'vitest';
import { cloudEvent } from '../../../src/events/cloud-event.ts';
import { distributionNotification } from '../../../src/events/distribution-notification.ts';
import { REGISTRY_EVENT_KINDS, type RegistryEvent } from '../../../src/oci/registry-event.ts';
import { DIGEST, PREVIOUS_DIGEST, registryEvent } from '../../support/registry-events.ts';

const URL_OF_REGISTRY = 'https://registry.example.org:5000';

describe('as CloudEvents', () => {
  const bodyOf = (changes: Partial<RegistryEvent> = {}): unknown =>
    JSON.parse(cloudEvent(registryEvent(changes), URL_OF_REGISTRY));

  test('a created tag has all attributes, and all that is known of it', () => {
    expect(bodyOf()).toEqual({
      specversion: '1.0',
      id: '0b0e6f0e-4a3c-4b6e-8d3e-2f6a1c9d7e55',
      source: URL_OF_REGISTRY,
      type: 'io.pierone.tag.created',
      subject: 'acme/shop/frontend:1.0',
      time: '2026-11-23T08:15:30.123Z',
      datacontenttype: 'application/json',
      data: {
        team: 'acme',
        artifact: 'shop/frontend',
        repository: 'acme/shop/frontend',
        tag: '1.0',
        digest: DIGEST,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        size: 1234,
        by: { uid: 'alice', realm: 'employees', issuer: 'https://login.example.org' },
      },
    });
  });

  test('a replaced tag says what it pointed at before', () => {
    expect(bodyOf({ kind: 'replaced', previousDigest: PREVIOUS_DIGEST })).toMatchObject({
      type: 'io.pierone.tag.replaced',
      data: { digest: DIGEST, previousDigest: PREVIOUS_DIGEST },
    });
  });

  test('a refusal says why', () => {
    expect(bodyOf({ kind: 'refused', reason: 'tag already exists' })).toMatchObject({
      type: 'io.pierone.tag.refused',
      data: { reason: 'tag already exists' },
    });
  });

  test('a push without a tag is about the repository', () => {
    expect(bodyOf({ kind: 'denied', tag: undefined })).toMatchObject({
      type: 'io.pierone.push.denied',
      subject: 'acme/shop/frontend',
    });
  });

  test('a refused login is about no repository', () => {
    const nothing = { repository: undefined, tag: undefined, digest: undefined };
    const rest = { mediaType: undefined, sizeBytes: undefined, principal: { uid: 'mallory' } };
    const body = bodyOf({ kind: 'login-refused', reason: 'expired', ...nothing, ...rest });
    expect(body).toEqual({
      specversion: '1.0',
      id: '0b0e6f0e-4a3c-4b6e-8d3e-2f6a1c9d7e55',
      source: URL_OF_REGISTRY,
      type: 'io.pierone.login.refused',
      time: '2026-11-23T08:15:30.123Z',
      datacontenttype: 'application/json',
      data: { by: { uid: 'mallory' }, reason: 'expired' },
    });
  });

  test('each kind has a type of its own', () => {
    const types = REGISTRY_EVENT_KINDS.map((kind) => Object(bodyOf({ kind })).type);
    expect(new Set(types)).toHaveLength(REGISTRY_EVENT_KINDS.length);
  });

  test('the claims of a CI system’s token stay here', () => {
    const principal = { uid: 'ci', claims: { workflow: 'release' } };
    expect(bodyOf({ principal })).toMatchObject({ data: { by: { uid: 'ci' } } });
    expect(JSON.stringify(bodyOf({ principal }))).not.toContain('release');
  });
});

describe('as a notification of distribution', () => {
  const bodyOf = (url?: string): unknown =>
    JSON.parse(distributionNotification(registryEvent(), url));

  test('a tag is a push in an envelope', () => {
    expect(bodyOf(URL_OF_REGISTRY)).toEqual({
      events: [
        {
          id: '0b0e6f0e-4a3c-4b6e-8d3e-2f6a1c9d7e55',
          timestamp: '2026-11-23T08:15:30.123Z',
          action: 'push',
          target: {
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            digest: DIGEST,
            size: 1234,
            length: 1234,
            repository: 'acme/shop/frontend',
            url: `${URL_OF_REGISTRY}/v2/acme/shop/frontend/manifests/${DIGEST}`,
            tag: '1.0',
          },
          request: {
            id: '0b0e6f0e-4a3c-4b6e-8d3e-2f6a1c9d7e55',
            host: 'registry.example.org:5000',
            method: 'PUT',
            useragent: '',
          },
          actor: { name: 'alice' },
          source: { addr: 'registry.example.org:5000' },
        },
      ],
    });
  });

  test('leaves out what needs a URL where none is known', () => {
    const body = bodyOf();
    expect(body).toMatchObject({ events: [{ target: { digest: DIGEST }, source: {} }] });
    expect(JSON.stringify(body)).not.toMatch(/"(url|host|addr)"/);
  });
});
