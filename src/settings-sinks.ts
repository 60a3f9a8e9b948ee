import { z } from 'zod';
import { endpointUrl, orUnset, serviceUrl, setting, text } from './setting.ts';

const topicArn = z
  .string()
  .regex(
    /^arn:aws[\w-]*:sns:[a-z0-9-]+:\d*:[\w-]{1,256}(\.fifo)?$/,
    'the ARN of an SNS topic, as in arn:aws:sns:eu-central-1:123456789012:pierone',
  );
const region = z.string().regex(/^[a-z0-9-]{1,64}$/, 'the name of a region, as in eu-central-1');

/** What the original Pier One told of events, and where. */
export const SINK_SETTINGS = {
  API_REPOSITORY: setting(
    text.transform(orUnset),
    undefined,
    'What the registry is called in messages of SNS and in audit events.',
  ),
  API_SNS_TOPIC_ARN: setting(
    topicArn.transform(orUnset),
    undefined,
    'SNS topic to which new tags are published: docs/events.md. Its name may end in .fifo.',
  ),
  API_SNS_REGION: setting(
    region.transform(orUnset),
    undefined,
    'Region of the topic.',
    'that of API_SNS_TOPIC_ARN',
  ),
  API_SNS_ENDPOINT: setting(
    endpointUrl.transform(orUnset),
    undefined,
    'URL of an SNS that is not that of AWS.',
    'AWS_ENDPOINT_URL_SNS, else AWS_ENDPOINT_URL, else AWS',
  ),
  HTTPLOGGER_API_URL: setting(
    serviceUrl.transform(orUnset),
    undefined,
    'URL of an audit service that is told of new tags: docs/events.md.',
  ),
  OAUTH2_ACCESS_TOKEN_URL: setting(
    serviceUrl.transform(orUnset),
    undefined,
    'URL that grants the registry a token for HTTPLOGGER_API_URL, for what is in CREDENTIALS_DIR.',
  ),
  CREDENTIALS_DIR: setting(
    text.transform(orUnset),
    undefined,
    'Directory with user.json and client.json, or with http-audit-logger-token-secret; read anew for each token.',
  ),
} as const;

/** Who writes credentials into a URL must not find them in a message. */
export const SINK_SECRET_SETTINGS = Object.keys(SINK_SETTINGS).filter((name) =>
  /_(URL|ENDPOINT)$/.test(name),
);
