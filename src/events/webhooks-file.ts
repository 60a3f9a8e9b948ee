import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { validateHeaderValue } from 'node:http';
import { dirname, resolve } from 'node:path';
import { readWebhookSecret } from './webhook-signature.ts';
import type { Webhook } from './webhook-sink.ts';
import {
  type Confidential,
  type DescribedWebhook,
  parseWebhooks,
  WebhooksFileError,
} from './webhooks-file-content.ts';

const MAX_BYTES = 1024 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Variables that hold secrets, by their names. */
export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The webhooks that a JSON file describes, with the secrets that it names. Files that it names are looked for from its
 * own directory.
 * @throws WebhooksFileError that says everything that is wrong, and shows no secret
 */
export async function readWebhooksFile(file: string, variables: Variables): Promise<Webhook[]> {
  const text = await readBounded(file).catch((problem: unknown) => {
    throw problem instanceof Problem ? new WebhooksFileError(file, [problem.message]) : problem;
  });
  const { webhooks: described, problems } = parseWebhooks(file, text);
  const secrets = new Secrets(dirname(resolve(file)), variables);
  const webhooks: Webhook[] = [];
  for (const [n, webhook] of described.entries()) {
    if (webhook) webhooks.push(await complete(webhook, `webhooks[${n}]`, secrets));
  }
  const all = [...problems, ...secrets.problems];
  if (all.length > 0) throw new WebhooksFileError(file, all);
  return webhooks;
}

async function complete(
  { secrets: named, headers, caFile, ...webhook }: DescribedWebhook,
  place: string,
  secrets: Secrets,
): Promise<Webhook> {
  const keys: Buffer[] = [];
  for (const [n, secret] of named.entries()) {
    const key = await secrets.key(secret, `${place}.secrets[${n}]`);
    if (key) keys.push(key);
  }
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    values[name.toLowerCase()] = await secrets.header(value, name, `${place}.headers.${name}`);
  }
  const { name, url, format, teams, kinds, timeoutSeconds } = webhook;
  return {
    name,
    url,
    format,
    teams: teams && new Set(teams),
    kinds: new Set(kinds),
    timeoutMs: timeoutSeconds * 1000,
    keys,
    headers: values,
    ca: caFile === undefined ? undefined : await secrets.certificates(caFile, `${place}.caFile`),
  };
}

/** What is wrong, completing the sentence that begins with its place. */
class Problem extends Error {}

/** Gets what the file only names. What can't be had is a problem, and something stands in for it until all are known. */
class Secrets {
  readonly problems: string[] = [];
  readonly #directory: string;
  readonly #variables: Variables;

  constructor(directory: string, variables: Variables) {
    this.#directory = directory;
    this.#variables = variables;
  }

  async key(secret: Confidential, place: string): Promise<Buffer | undefined> {
    return this.#look(place, undefined, async () => {
      const key = readWebhookSecret(await this.#textOf(secret));
      if (key) return key;
      throw new Problem('must be whsec_ and the base64 of 24 to 64 bytes');
    });
  }

  async header(value: Confidential, name: string, place: string): Promise<string> {
    return this.#look(place, '', async () => {
      const text = await this.#textOf(value);
      try {
        validateHeaderValue(name, text);
      } catch {
        throw new Problem('must be a text of one line that a header can hold');
      }
      return text;
    });
  }

  async certificates(file: string, place: string): Promise<string | undefined> {
    return this.#look(place, undefined, async () => {
      const text = await readBounded(resolve(this.#directory, file));
      const certificates = text.match(CERTIFICATE) ?? [];
      if (certificates.length === 0 || !certificates.every(isCertificate)) {
        throw new Problem('must be a PEM file of certificates');
      }
      return certificates.join('\n');
    });
  }

  async #textOf(confidential: Confidential): Promise<string> {
    if (typeof confidential === 'string') return confidential;
    const text =
      'file' in confidential
        ? await readBounded(resolve(this.#directory, confidential.file))
        : this.#variables[confidential.variable];
    if (text === undefined) throw new Problem('names a variable that is not set');
    if (text.trim() === '') throw new Problem('is empty');
    return text.trim();
  }

  async #look<T>(place: string, standIn: T, find: () => Promise<T>): Promise<T> {
    try {
      return await find();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.problems.push(`${place} ${problem.message}`);
      return standIn;
    }
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

async function readBounded(file: string): Promise<string> {
  try {
    // Before it is opened: a pipe would wait for its writer.
    const found = await stat(file);
    if (!found.isFile()) throw new Problem('is no regular file');
    if (found.size > MAX_BYTES) throw new Problem(`has more than ${MAX_BYTES} bytes`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new Problem(`can't be read (${reason})`);
  }
}
