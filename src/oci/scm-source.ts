import { z } from 'zod';
import type { Digest } from './digest.ts';
import { OciError } from './error.ts';

/** Which commit an image was built from: the original Pier One's `scm-source.json`. */
export interface ScmSource {
  /** As `git:git@github.com:org/repo.git`. */
  readonly url: string;
  /** The whole commit id, with ` (locally modified)` behind it where the tree wasn't clean. */
  readonly revision: string;
  readonly author: string;
  /** What `git status --porcelain` said. */
  readonly status: string;
}

/** Where an image says it, the first one counts most: a header of its push, a file in a layer, its manifest, its config. */
export const SCM_ORIGINS = ['header', 'file', 'annotation', 'label'] as const;
export type ScmOrigin = (typeof SCM_ORIGINS)[number];

/** What was found where a source should be. */
export type ScmFinding =
  | { readonly kind: 'valid'; readonly source: ScmSource }
  /** The reason completes the sentence "it is no source: …". */
  | { readonly kind: 'invalid'; readonly reason: string };

/** A source that was found. */
export interface FoundScmSource extends ScmSource {
  readonly origin: ScmOrigin;
  /** Of the manifest, layer or config that says it; of a header: of the manifest that was pushed with it. */
  readonly digest: Digest;
  readonly created: Date;
}

/** All that is known of where an image, or an index with all its images, comes from. */
export interface ScmReport {
  /** The one that counts: see SCM_ORIGINS. Of files, that of the last layer. */
  readonly source: FoundScmSource | undefined;
  /** What stands where a source should be, and is none. */
  readonly invalid: readonly {
    readonly origin: ScmOrigin;
    readonly digest: Digest;
    readonly reason: string;
  }[];
  /** Blobs that could not be looked into. */
  readonly failed: readonly { readonly digest: Digest; readonly reason: string }[];
  /** Blobs that have yet to be looked into: the source may change until there are none. */
  readonly pending: number;
}

/** Larger than any that is written by a tool, and small enough to be kept in rows. */
export const MAX_SCM_SOURCE_BYTES = 64 * 1024;

const SOURCE_KEY = 'org.opencontainers.image.source';
const REVISION_KEY = 'org.opencontainers.image.revision';
const FIELDS = ['url', 'revision', 'author', 'status'] as const;

// PostgreSQL's text can't hold U+0000, nor half of a surrogate pair.
const textSchema = z
  .string('must be a string')
  .regex(/^[^\0\p{Surrogate}]*$/u, 'has characters that are no text');
const fields = { url: textSchema, revision: textSchema, author: textSchema, status: textSchema };
const fileSchema = z.strictObject(fields);
const headerSchema = z.object(fields);

/** The content of a file scm-source.json: an object of exactly the four strings. */
export function readScmFile(bytes: Uint8Array): ScmFinding {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { kind: 'invalid', reason: 'it is not UTF-8' };
  }
  return readScmSource(text, fileSchema);
}

/**
 * The header X-SCM-Source of a manifest's push: percent-encoded JSON of the four strings; what else it has is ignored.
 * @throws OciError MANIFEST_INVALID
 */
export function readScmHeader(value: string): ScmSource {
  const finding = readScmSource(decodePercent(value), headerSchema);
  if (finding.kind === 'valid') return finding.source;
  throw new OciError('MANIFEST_INVALID', {
    message: `the header X-SCM-Source is no source: ${finding.reason}; it has to be percent-encoded JSON with the strings ${FIELDS.join(', ')}`,
  });
}

/**
 * What the annotations of a manifest, or the labels of a config, say of the source (OCI image-spec, annotations.md).
 * They know neither author nor status: these are empty.
 */
export function readScmKeys(keys: Readonly<Record<string, unknown>>): ScmFinding | undefined {
  const url = ownValue(keys, SOURCE_KEY);
  const revision = ownValue(keys, REVISION_KEY);
  if (url === undefined && revision === undefined) return undefined;
  const invalid = (reason: string) => ({ kind: 'invalid', reason }) as const;
  if (url === undefined || url === '') return invalid(`${SOURCE_KEY} is missing or empty`);
  const result = headerSchema.safeParse({ url, revision: revision ?? '', author: '', status: '' });
  if (!result.success) return invalid(explain(result.error));
  const { length } = JSON.stringify(result.data);
  return length > MAX_SCM_SOURCE_BYTES ? invalid('it is too long') : valid(result.data);
}

function ownValue(keys: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(keys, key) ? keys[key] : undefined;
}

function readScmSource(text: string, schema: typeof fileSchema | typeof headerSchema): ScmFinding {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { kind: 'invalid', reason: 'it is not JSON' };
  }
  const result = schema.safeParse(json);
  if (result.success) return valid(result.data);
  return { kind: 'invalid', reason: explain(result.error) };
}

function valid({ url, revision, author, status }: ScmSource): ScmFinding {
  return { kind: 'valid', source: { url, revision, author, status } };
}

const MAX_REASON_LENGTH = 300;

function explain({ issues }: z.ZodError): string {
  const reasons = issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') return `it has the field ${issue.keys[0]} too many`;
    const field = issue.path.join('.');
    return field === '' ? 'it is not an object' : `its ${field} ${issue.message}`;
  });
  // Names of fields are as they were written.
  return toText(reasons.join(', ').slice(0, MAX_REASON_LENGTH));
}

function toText(text: string): string {
  return text.replaceAll(/\p{Control}|\p{Surrogate}/gu, '\ufffd');
}

/** Text that isn't encoded is taken as it is. */
function decodePercent(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
