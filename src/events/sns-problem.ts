import { connectionProblem } from './connection-problem.ts';

export interface SnsTopic {
  readonly arn: string;
  readonly region: string;
}

/** By what SNS and the SDK call errors: what it means to the operator, and what to do. */
const SENTENCES: Readonly<Record<string, (topic: SnsTopic) => string>> = {
  CredentialsProviderError: () =>
    'there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine or container a role',
  InvalidClientTokenId: () => 'AWS does not know the access key: correct AWS_ACCESS_KEY_ID',
  UnrecognizedClientException: () => 'AWS does not know the access key: correct AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: ({ region }) =>
    `the signature is not valid: correct AWS_SECRET_ACCESS_KEY, or API_SNS_REGION if the endpoint is not in ${region}`,
  ExpiredToken: () => 'the session token has expired: renew the AWS credentials',
  ExpiredTokenException: () => 'the session token has expired: renew the AWS credentials',
  RequestExpired: () => 'the clock of this machine is wrong: set it, as by NTP',
  AuthorizationError: denied,
  AuthorizationErrorException: denied,
  AccessDenied: denied,
  AccessDeniedException: denied,
  KMSAccessDenied: keyDenied,
  KMSAccessDeniedException: keyDenied,
  NotFound: missing,
  NotFoundException: missing,
  InvalidParameter: wrongTopic,
  InvalidParameterException: wrongTopic,
  InvalidParameterValue: wrongTopic,
  InvalidParameterValueException: wrongTopic,
};

function denied({ arn }: SnsTopic): string {
  return `publishing is not allowed: give the role of the registry the action sns:Publish on ${arn}`;
}

function keyDenied({ arn }: SnsTopic): string {
  return `the key that encrypts ${arn} may not be used: give the role of the registry kms:GenerateDataKey and kms:Decrypt on it`;
}

function missing({ arn, region }: SnsTopic): string {
  return `there is no topic ${arn} in the region ${region}: create it, or correct API_SNS_TOPIC_ARN (or API_SNS_ENDPOINT)`;
}

function wrongTopic({ arn, region }: SnsTopic): string {
  return `SNS in the region ${region} does not take the message for ${arn}: is it the region of the topic, and does its name end in .fifo where it is a FIFO topic?`;
}

/** Why a message was not published: a sentence without what AWS says itself, which may name credentials. */
export function snsProblem(error: unknown, topic: SnsTopic): string {
  if (!(error instanceof Error)) return 'publishing failed';
  const sentence = SENTENCES[error.name];
  if (sentence) return sentence(topic);
  if ('$fault' in error) return `SNS refuses the message (${error.name}${statusOf(error)})`;
  if (/^(AbortError|TimeoutError)$/.test(error.name)) return 'no answer of SNS in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined) return connectionProblem(code);
  return `what answers does not speak SNS (${error.name}): correct API_SNS_ENDPOINT`;
}

/** The SDK keeps it with each error of a service. */
function statusOf(error: Error): string {
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined;
  if (typeof metadata !== 'object' || metadata === null) return '';
  return 'httpStatusCode' in metadata ? `, status ${String(metadata.httpStatusCode)}` : '';
}
