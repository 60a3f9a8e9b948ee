import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { auditEvent } from '../../src/events/audit-event.ts';
import { type CreatedTag, isCreatedTag } from '../../src/events/created-tag.ts';
import { fifoIds, snsAttributes, snsMessage } from '../../src/events/sns-message.ts';
import { snsProblem } from '../../src/events/sns-problem.ts';
import type { RegistryEvent } from '../../src/oci/registry-event.ts';
import { registryEvent } from '../support/registry-events.ts';
import { repositoryOf, sha256Of } from '../support/vocabulary.ts';

const REGISTRY = 'pierone.example.org';
const SOURCE = {
  url: 'git:git@github.com:acme/shop.git',
  revision: 'abc',
  author: 'jdoe',
  status: '',
  created: new Date('2026-11-23T08:15:31.001Z'),
  origin: 'file' as const,
  digest: sha256Of('3'),
};

function createdTag(changes: Partial<RegistryEvent> = {}): CreatedTag {
  const event = registryEvent(changes);
  if (!isCreatedTag(event)) throw new Error('it is no event of a new tag');
  return event;
}

describe('a message of SNS', () => {
  test('has the members of the original, in their order', () => {
    expect(snsMessage(createdTag(), REGISTRY)).toBe(
      '{"registry":"pierone.example.org","team":"acme","image":"shop/frontend","tag":"1.0"}',
    );
  });

  test('says null for a registry without name', () => {
    expect(snsMessage(createdTag(), undefined)).toMatch(/^\{"registry":null,"team":"acme",/);
  });

  test('has attributes to filter by', () => {
    expect(snsAttributes(createdTag())).toEqual({
      team: { DataType: 'String', StringValue: 'acme' },
      artifact: { DataType: 'String', StringValue: 'shop/frontend' },
      event: { DataType: 'String', StringValue: 'created' },
    });
  });

  test.each([
    ['a name is the group', `acme/${'a'.repeat(123)}`, `acme/${'a'.repeat(123)}`],
    [
      'a name that is too long has its digest for a group',
      `acme/${'a'.repeat(124)}`,
      createHash('sha256')
        .update(`acme/${'a'.repeat(124)}`)
        .digest('hex'),
    ],
  ])('of a FIFO topic: %s', (_, name, group) => {
    const event = createdTag({ repository: repositoryOf(name) });
    expect(fifoIds(event)).toEqual({ MessageGroupId: group, MessageDeduplicationId: event.id });
  });
});

describe('an audit event', () => {
  test('has the members of the original, in their order', () => {
    expect(auditEvent(createdTag(), SOURCE, REGISTRY)).toBe(
      '{"event_type":{"namespace":"cloud.zalando.com","name":"docker-tag-uploaded","version":"1"},' +
        '"triggered_at":"2026-11-23T08:15:30.123Z",' +
        '"triggered_by":{"type":"USER","id":"alice","additional":{"realm":"/employees"}},' +
        '"payload":{"scm_source":{"url":"git:git@github.com:acme/shop.git","revision":"abc","author":"jdoe",' +
        '"status":"","created":"2026-11-23T08:15:31.001Z"},' +
        '"tag":{"team":"acme","artifact":"shop/frontend","tag":"1.0","repository":"pierone.example.org"}}}',
    );
  });

  test('leaves out a source that is not known, and says null for a realm that is not', () => {
    const event = createdTag({ principal: { uid: 'anonymous' } });
    expect(JSON.parse(auditEvent(event, undefined, undefined))).toMatchObject({
      triggered_by: { id: 'anonymous', additional: { realm: null } },
      payload: {
        tag: { team: 'acme', artifact: 'shop/frontend', tag: '1.0', repository: null },
      },
    });
    expect(auditEvent(event, undefined, undefined)).not.toContain('scm_source');
  });
});

test('the examples in docs/events.md are what is sent', async () => {
  const docs = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
  expect(docs).toContain(snsMessage(createdTag(), REGISTRY));
  const [, digest] = /^PUT \/events\/(\w+)$/m.exec(docs) ?? [];
  const [body = ''] = /^\{"event_type".*$/m.exec(docs) ?? [];
  expect(createHash('sha256').update(body).digest('hex')).toBe(digest);
  const event = createdTag({ principal: { uid: 'jdoe', realm: 'employees' } });
  expect(auditEvent(event, { ...SOURCE, revision: '0f1e2d' }, REGISTRY)).toBe(body);
});

describe('an error of SNS', () => {
  const topic = { arn: 'arn:aws:sns:eu-central-1:123456789012:pierone', region: 'eu-central-1' };
  const SECRET = 'AKIAIOSFODNN7EXAMPLE';

  test.each([
    ['CredentialsProviderError', /AWS_ACCESS_KEY_ID.*role/],
    ['InvalidClientTokenId', /AWS_ACCESS_KEY_ID/],
    ['SignatureDoesNotMatch', /AWS_SECRET_ACCESS_KEY.*API_SNS_REGION/],
    ['ExpiredTokenException', /renew/],
    ['AuthorizationErrorException', /sns:Publish on arn:aws:sns:eu-central-1/],
    ['KMSAccessDeniedException', /kms:GenerateDataKey/],
    ['NotFoundException', /no topic arn:.* in the region eu-central-1.*API_SNS_TOPIC_ARN/],
    ['InvalidParameterException', /region.*\.fifo/],
    ['TimeoutError', /no answer of SNS in time/],
    ['AbortError', /no answer of SNS in time/],
  ])('%s is told with what to do, without what AWS says', (name, expected) => {
    const error = Object.assign(new Error(`said with ${SECRET}`), { name });
    expect(snsProblem(error, topic)).toMatch(expected);
    expect(snsProblem(error, topic)).not.toContain(SECRET);
  });

  test.each([
    ['ECONNREFUSED', /can not be reached/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /NODE_EXTRA_CA_CERTS/],
    ['EPROTO', /TLS/],
  ])('of the connection is told by its code: %s', (code, expected) => {
    expect(snsProblem(Object.assign(new Error('no'), { code }), topic)).toMatch(expected);
  });
});
