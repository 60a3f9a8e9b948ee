import { S3ServiceException } from '@aws-sdk/client-s3';
import type { S3Location } from './s3-location.ts';

/** Names of errors by which S3 says that something is not allowed. */
const DENIALS = new Set(['AccessDenied', 'AccessDeniedException', 'Forbidden']);

/** By the names of errors: what it means to the operator, and what to do. */
const SENTENCES: Readonly<Record<string, (location: S3Location) => string>> = {
  NoSuchBucket: ({ bucket }) =>
    `there is no bucket ${bucket}: create it, or correct STORAGE_S3_BUCKET or STORAGE_S3_ENDPOINT`,
  InvalidAccessKeyId: () => 'it does not know the access key: correct AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: () =>
    'the secret key is not that of the access key: correct AWS_SECRET_ACCESS_KEY (or a proxy in between changes requests)',
  InvalidToken: () => 'the session token is not valid: correct AWS_SESSION_TOKEN',
  ExpiredToken: () => 'the session token has expired: renew the credentials',
  CredentialsProviderError: () =>
    'there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine or container a role',
  RequestTimeTooSkewed: () =>
    'the clock of this machine is wrong by more than 15 minutes: set it, as by NTP',
  InvalidStorageClass: () => 'it has no such storage class: correct STORAGE_S3_STORAGE_CLASS',
};

export const NOT_S3 = 'what answers there does not speak S3: correct STORAGE_S3_ENDPOINT';

const CERTIFICATE_CODE = /CERT|SELF_SIGNED|UNABLE_TO_/;
const MISTAKE_CODE = /EPROTO|CERT|SELF_SIGNED|UNABLE_TO_/;

export function isDenial(error: unknown): error is S3ServiceException {
  return error instanceof S3ServiceException && DENIALS.has(error.name);
}

/** The action that S3 names itself, which may be one of KMS. */
export function deniedAction({ message }: S3ServiceException): string | undefined {
  return /\bperform: (\w+:\w+)/.exec(message)?.[1];
}

/** Nothing that another try would change. */
export function isMistake(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.name in SENTENCES || MISTAKE_CODE.test(codeOf(error));
}

/** Why nothing at all can be done with the bucket; undefined when S3 refused only what was asked for. */
export function diagnose(error: unknown, location: S3Location): string | undefined {
  if (!(error instanceof Error)) return String(error);
  const sentence = SENTENCES[error.name] ?? regionSentence(error, location);
  if (sentence) return sentence(location);
  // An error without a document of S3 has the status for a name.
  if (error instanceof S3ServiceException) return error.name === 'NotFound' ? NOT_S3 : undefined;
  return networkSentence(error);
}

/** S3's own words, and the settings that may have displeased it. */
export function refusalOf(error: unknown, location: S3Location): string {
  if (!(error instanceof Error)) return String(error);
  const { encryption, storageClass, checksum } = location;
  const settings = [
    ...(encryption ? ['STORAGE_S3_SSE'] : []),
    ...(storageClass === undefined ? [] : ['STORAGE_S3_STORAGE_CLASS']),
    ...(checksum === 'none' ? [] : ['STORAGE_S3_CHECKSUM']),
  ];
  const hint = settings.length > 0 ? ` (does it support ${settings.join(', ')}?)` : '';
  return `${error.name}: ${error.message}${hint}`;
}

function regionSentence(error: Error, { bucket, region }: S3Location) {
  const isElsewhere =
    error instanceof S3ServiceException &&
    (error.$metadata.httpStatusCode === 301 ||
      REGION_ERRORS.has(error.name) ||
      /region '[^']*' is wrong/.test(error.message));
  if (!isElsewhere) return undefined;
  const right =
    error.$response?.headers['x-amz-bucket-region'] ??
    /expecting '([^']+)'/.exec(error.message)?.[1];
  return () =>
    `the bucket ${bucket} is not in the region ${region}: set STORAGE_S3_REGION${right ? `=${right}` : ' to its own'}, or correct STORAGE_S3_ENDPOINT`;
}

const REGION_ERRORS = new Set([
  'PermanentRedirect',
  'TemporaryRedirect',
  'IllegalLocationConstraintException',
]);

function networkSentence(error: Error): string {
  const code = codeOf(error);
  if (CERTIFICATE_CODE.test(code)) {
    return `its certificate is not trusted (${code}): let NODE_EXTRA_CA_CERTS name the file of its authority`;
  }
  if (code === 'EPROTO') return 'it does not speak TLS: is the endpoint one of http://?';
  if ('$responseBodyText' in error || '$responseStatusCode' in error || '$response' in error) {
    return NOT_S3;
  }
  const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
  const reason = isLate ? 'no answer in time' : code || error.message;
  return `it can not be reached (${reason}): correct STORAGE_S3_ENDPOINT, or let this machine through to it`;
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : '';
}
