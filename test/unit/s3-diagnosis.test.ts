import { S3ServiceException } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { deniedAction, diagnose, isDenial, isMistake } from '../../src/storage/s3/s3-diagnosis.ts';
import type { S3Location } from '../../src/storage/s3/s3-location.ts';

/*
 * Answers of AWS that no S3 server of ours gives; texts and codes as its documentation has them.
 */

const LOCATION: S3Location = {
  kind: 's3',
  bucket: 'acme-registry',
  prefix: '',
  endpoint: undefined,
  region: 'us-east-1',
  forcePathStyle: false,
  partBytes: 8 * 1024 ** 2,
  checksum: 'crc32',
  signPayload: false,
  encryption: undefined,
  storageClass: undefined,
};

function refusal(name: string, status: number, message = 'refused') {
  return new S3ServiceException({
    name,
    message,
    $fault: 'client',
    $metadata: { httpStatusCode: status },
  });
}

describe('a bucket in another region', () => {
  test('is told by the region that AWS expects', () => {
    const message =
      "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'";
    expect(diagnose(refusal('AuthorizationHeaderMalformed', 400, message), LOCATION)).toBe(
      'the bucket acme-registry is not in the region us-east-1: set STORAGE_S3_REGION=eu-west-1, or correct STORAGE_S3_ENDPOINT',
    );
  });

  test.each([
    ['PermanentRedirect', 301],
    ['301', 301],
    ['IllegalLocationConstraintException', 400],
  ])('is told by %s', (name, status) => {
    expect(diagnose(refusal(name, status), LOCATION)).toContain('set STORAGE_S3_REGION to its own');
  });
});

test.each([
  ['ExpiredToken', 'the session token has expired'],
  ['InvalidToken', 'correct AWS_SESSION_TOKEN'],
  ['InvalidStorageClass', 'correct STORAGE_S3_STORAGE_CLASS'],
])('%s is no matter of trying again', (name, sentence) => {
  const error = refusal(name, 400);
  expect(isMistake(error)).toBe(true);
  expect(diagnose(error, LOCATION)).toContain(sentence);
});

test('what S3 refuses for itself alone has no sentence, so that the rest is tried too', () => {
  expect(diagnose(refusal('InvalidRequest', 400), LOCATION)).toBeUndefined();
  expect(isMistake(refusal('SlowDown', 503))).toBe(false);
});

test.each([
  ['the action that AWS names', 'perform: s3:GetObject on resource: "arn:…"', 's3:GetObject'],
  ['one of KMS', 'perform: kms:GenerateDataKey on this resource', 'kms:GenerateDataKey'],
  ['none', 'Access Denied', undefined],
])('a denial: %s', (_, rest, action) => {
  const message = action ? `User: arn:aws:iam::1:user/x is not authorized to ${rest}` : rest;
  const error = refusal('AccessDenied', 403, message);
  expect(isDenial(error)).toBe(true);
  expect(deniedAction(error)).toBe(action);
});

test.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_HAS_EXPIRED'])(
  'a certificate that is not trusted (%s) is told at once',
  (code) => {
    const error = Object.assign(new Error('certificate'), { code });
    expect(isMistake(error)).toBe(true);
    expect(diagnose(error, LOCATION)).toMatch(/not trusted \(\w+\): .*NODE_EXTRA_CA_CERTS/);
  },
);
