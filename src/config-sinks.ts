import { resolve } from 'node:path';
import type { Values } from './settings.ts';

/** The topic to which new tags are published. */
export interface SnsConfig {
  readonly topicArn: string;
  readonly region: string;
  /** Undefined: as the SDK's own variables say, else AWS. */
  readonly endpoint: string | undefined;
  /** What the registry is called in messages. */
  readonly registry: string | undefined;
}

/** The service that is told of new tags, and how the registry proves who it is. */
export interface AuditConfig {
  readonly url: URL;
  readonly registry: string | undefined;
  /** Undefined: the token is in a file. */
  readonly tokenUrl: URL | undefined;
  readonly credentialsDirectory: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of sinks that are right each by itself, and wrong together. */
export function sinkContradictions(values: Partial<Values>, environment: Environment): string[] {
  return [...snsContradictions(values, environment), ...auditContradictions(environment)];
}

function snsContradictions(values: Partial<Values>, environment: Environment): string[] {
  if (environment['API_SNS_TOPIC_ARN'] === undefined) {
    return ['API_SNS_REGION', 'API_SNS_ENDPOINT']
      .filter((name) => environment[name] !== undefined)
      .map((name) => `${name} is set without API_SNS_TOPIC_ARN: set the topic, or unset it`);
  }
  const { API_SNS_TOPIC_ARN: topicArn, API_SNS_REGION: region } = values;
  if (topicArn === undefined || region === undefined || region === regionOf(topicArn)) return [];
  return [
    `API_SNS_REGION is ${region}, but API_SNS_TOPIC_ARN is in ${regionOf(topicArn)}: unset it, or correct the ARN`,
  ];
}

function auditContradictions(environment: Environment): string[] {
  const { HTTPLOGGER_API_URL: url, CREDENTIALS_DIR: directory } = environment;
  if (url === undefined || directory !== undefined) return [];
  return [
    'HTTPLOGGER_API_URL is set without CREDENTIALS_DIR: name the directory with user.json and client.json, for OAUTH2_ACCESS_TOKEN_URL, or with http-audit-logger-token-secret',
  ];
}

/** What an operator should know. CREDENTIALS_DIR alone is nothing: some platforms set it everywhere. */
export function sinkNotices(values: Values): string[] {
  const { API_REPOSITORY: registry, API_SNS_TOPIC_ARN: topicArn } = values;
  const { HTTPLOGGER_API_URL: auditUrl, OAUTH2_ACCESS_TOKEN_URL: tokenUrl } = values;
  const isTold = topicArn !== undefined || auditUrl !== undefined;
  const notices: string[] = [];
  if (tokenUrl && !auditUrl) {
    notices.push('OAUTH2_ACCESS_TOKEN_URL does nothing without HTTPLOGGER_API_URL');
  }
  if (registry !== undefined && !isTold) {
    notices.push('API_REPOSITORY does nothing without API_SNS_TOPIC_ARN or HTTPLOGGER_API_URL');
  }
  if (registry === undefined && isTold) {
    notices.push(
      'API_REPOSITORY is unset, so messages of SNS and audit events name no registry (null)',
    );
  }
  return notices;
}

export function toSnsConfig(values: Values): SnsConfig | undefined {
  const { API_SNS_TOPIC_ARN: topicArn, API_SNS_REGION: region } = values;
  if (topicArn === undefined) return undefined;
  return {
    topicArn,
    region: region ?? regionOf(topicArn),
    endpoint: values.API_SNS_ENDPOINT,
    registry: values.API_REPOSITORY,
  };
}

/** arn:aws:sns:REGION:ACCOUNT:TOPIC */
function regionOf(topicArn: string): string {
  return topicArn.split(':')[3] ?? '';
}

export function toAuditConfig(values: Values): AuditConfig | undefined {
  const { HTTPLOGGER_API_URL: url, CREDENTIALS_DIR: directory } = values;
  if (url === undefined || directory === undefined) return undefined;
  return {
    url,
    registry: values.API_REPOSITORY,
    tokenUrl: values.OAUTH2_ACCESS_TOKEN_URL,
    credentialsDirectory: resolve(directory),
  };
}
