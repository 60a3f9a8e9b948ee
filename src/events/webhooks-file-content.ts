import { validateHeaderName } from 'node:http';
import { z } from 'zod';
import { JsonFileError, parseJsonFile } from '../json-file.ts';
import { REGISTRY_EVENT_KINDS } from '../oci/registry-event.ts';
import { isTeam } from '../oci/repository-name.ts';
import { DISTRIBUTION_KINDS } from './distribution-notification.ts';

/** The only variables that the file may name. */
export const WEBHOOK_VARIABLE_PREFIX = 'WEBHOOK_';

const MAX_WEBHOOKS = 100;

/** What is wrong with a file of webhooks: every problem, a sentence each. */
export class WebhooksFileError extends JsonFileError {
  override readonly name = 'WebhooksFileError';

  constructor(file: string, problems: readonly string[]) {
    super('WEBHOOKS_FILE', file, problems);
  }
}

const NAME = 'a name of lower-case letters, digits, dots, dashes and underscores, 63 at most';
const VARIABLE = `the name of a variable that begins with ${WEBHOOK_VARIABLE_PREFIX}`;

/** What sets the body, the connection or the signature is ours. */
const OWN_HEADERS =
  /^(host|connection|keep-alive|content-.*|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|webhook-.*)$/i;

const path = z.string('the path of a file').min(1, 'the path of a file');
const variable = z
  .string(VARIABLE)
  .regex(/^\w+$/, VARIABLE)
  .startsWith(WEBHOOK_VARIABLE_PREFIX, VARIABLE);
const confidential = z.union(
  [
    z.string().min(1, 'a text that is not empty'),
    z.strictObject({ file: path }),
    z.strictObject({ variable }),
  ],
  'a text, or an object with file, or with variable',
);

const url = z
  .string('a URL, as in https://example.org/hook')
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'a URL, as in https://example.org/hook',
  )
  .transform((text) => new URL(text))
  .refine(
    ({ username, password, hash }) => username === '' && password === '' && hash === '',
    'a URL without user, password and fragment; put credentials into headers',
  );

const webhookSchema = z.strictObject(
  {
    name: z.string(NAME).regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, NAME),
    url,
    secrets: z
      .array(confidential, 'a list of one or two secrets')
      .max(2, 'a list of one or two secrets')
      .default([]),
    format: z
      .enum(['cloudevents', 'distribution'], 'cloudevents or distribution')
      .default('cloudevents'),
    teams: z
      .array(z.string('the name of a team').refine(isTeam, 'the name of a team'), listOf('teams'))
      .min(1, listOf('teams'))
      .optional(),
    kinds: z
      .array(
        z.enum(REGISTRY_EVENT_KINDS, `one of ${REGISTRY_EVENT_KINDS.join(', ')}`),
        listOf('kinds'),
      )
      .min(1, listOf('kinds'))
      .default(['created', 'replaced']),
    timeoutSeconds: z
      .int('a whole number from 1 to 60')
      .min(1, 'a whole number from 1 to 60')
      .max(60, 'a whole number from 1 to 60')
      .default(15),
    headers: z
      .record(z.string().refine(isHeader), confidential, 'an object of headers by their names')
      .default({}),
    caFile: path.optional(),
  },
  {
    error: ({ code }) => (code === 'invalid_type' ? 'an object that describes one' : undefined),
  },
);

const fileSchema = z.strictObject(
  {
    webhooks: z
      .array(z.unknown(), 'a list of webhooks')
      .max(MAX_WEBHOOKS, `a list of ${MAX_WEBHOOKS} webhooks at most`),
  },
  {
    error: ({ code }) => (code === 'invalid_type' ? 'an object with a list webhooks' : undefined),
  },
);

/** A secret, or where it is. */
export type Confidential = z.output<typeof confidential>;
/** A webhook as the file describes it. */
export type DescribedWebhook = z.output<typeof webhookSchema>;

/** Undefined in place of those that have problems, which are told by their place in the file. */
export interface WebhooksFileContent {
  readonly webhooks: readonly (DescribedWebhook | undefined)[];
  readonly problems: readonly string[];
}

/** @throws WebhooksFileError when it holds no list of webhooks at all */
export function parseWebhooks(file: string, text: string): WebhooksFileContent {
  const whole = fileSchema.safeParse(
    parseJsonFile(text, (problem) => new WebhooksFileError(file, [problem])),
  );
  if (!whole.success) throw new WebhooksFileError(file, whole.error.issues.map(explain));
  const results = whole.data.webhooks.map((entry) => webhookSchema.safeParse(entry));
  const problems = results.flatMap((result, n) =>
    result.success
      ? contradictions(result.data, n)
      : result.error.issues.map((issue) =>
          explain({ ...issue, path: ['webhooks', n, ...issue.path] }),
        ),
  );
  const webhooks = results.map((result) => (result.success ? result.data : undefined));
  return { webhooks, problems: [...problems, ...doubleNames(webhooks)] };
}

/** What is right by itself, and wrong together. */
function contradictions(webhook: DescribedWebhook, n: number): string[] {
  const { format, kinds, secrets, teams, headers, caFile } = webhook;
  const headerNames = Object.keys(headers).map((name) => name.toLowerCase());
  const place = `webhooks[${n}]`;
  const problems: string[] = [];
  if (format === 'cloudevents' && secrets.length === 0) {
    problems.push(`${place}.secrets must be a list of one or two secrets, since calls are signed`);
  }
  if (format === 'distribution' && kinds.some((kind) => !DISTRIBUTION_KINDS.includes(kind))) {
    const known = DISTRIBUTION_KINDS.join(' and ');
    problems.push(`${place}.kinds must be a list of ${known} with this format`);
  }
  if (teams !== undefined && kinds.includes('login-refused')) {
    problems.push(
      `${place}.kinds must be a list without login-refused, which is of no team, or teams unset`,
    );
  }
  if (new Set(headerNames).size < headerNames.length) {
    problems.push(`${place}.headers must be an object that names each header once`);
  }
  if (caFile !== undefined && webhook.url.protocol !== 'https:') {
    problems.push(`${place}.caFile must be unset with a URL that is not https`);
  }
  return problems;
}

function doubleNames(webhooks: readonly (DescribedWebhook | undefined)[]): string[] {
  const names = webhooks.map((webhook) => webhook?.name);
  return names.flatMap((name, n) =>
    name === undefined || names.indexOf(name) === n
      ? []
      : [`webhooks[${n}].name must be unique: webhooks[${names.indexOf(name)}] has it too`],
  );
}

function isHeader(name: string): boolean {
  try {
    validateHeaderName(name);
    return !OWN_HEADERS.test(name);
  } catch {
    return false;
  }
}

function listOf(what: string): string {
  return `a list of ${what}; leave it out for the default`;
}

function explain(issue: z.core.$ZodIssue): string {
  const place = z.core.toDotPath(issue.path) || 'the whole';
  if (issue.code === 'invalid_key') {
    return `${place} is no header that may be set`;
  }
  if (issue.code === 'unrecognized_keys') {
    return `${place} has ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}, which isn't known`;
  }
  return `${place} must be ${issue.message}`;
}
