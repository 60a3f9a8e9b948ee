import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { type OpenIdIssuer, openIdIssuerSchema } from './openid-issuer.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/** What is wrong with the issuers that the configuration names, a sentence each. */
export class IssuerError extends Error {
  override readonly name = 'IssuerError';
}

/** The issuer that the variables HTTP_OIDC_… describe. @throws IssuerError */
export function readIssuer(fields: unknown): OpenIdIssuer {
  const result = openIdIssuerSchema.safeParse(fields);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `HTTP_OIDC_${constantCase(String(issue.path[0] ?? ''))} must be ${issue.message}`,
  );
  throw new IssuerError(problems.join('\n'));
}

/** The issuers of HTTP_OIDC_ISSUERS_FILE: a JSON list. @throws IssuerError */
export async function readIssuersFile(file: string): Promise<OpenIdIssuer[]> {
  const list = parse(file, await read(file));
  if (!Array.isArray(list) || list.length === 0) {
    throw new IssuerError(`HTTP_OIDC_ISSUERS_FILE: ${file} must be a JSON list of issuers`);
  }
  const results = list.map((entry) => openIdIssuerSchema.safeParse(entry));
  const problems = results.flatMap((result, n) =>
    result.success ? [] : result.error.issues.map((issue) => describe(n, issue)),
  );
  if (problems.length > 0) {
    throw new IssuerError(
      `HTTP_OIDC_ISSUERS_FILE: ${file} has ${problems.length} problem(s):\n${problems.join('\n')}`,
    );
  }
  return results.flatMap((result) => (result.success ? [result.data] : []));
}

function describe(n: number, { path, message }: z.core.$ZodIssue): string {
  return `  - ${path.length === 0 ? `issuer ${n + 1}` : `${path.join('.')} of issuer ${n + 1}`} must be ${message}`;
}

async function read(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const problem = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw new IssuerError(`HTTP_OIDC_ISSUERS_FILE: ${file} can't be read (${problem})`);
  });
  if (text.length <= MAX_FILE_BYTES) return text;
  throw new IssuerError(`HTTP_OIDC_ISSUERS_FILE: ${file} is larger than ${MAX_FILE_BYTES} bytes`);
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new IssuerError(`HTTP_OIDC_ISSUERS_FILE: ${file} is no JSON`);
  }
}

function constantCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
