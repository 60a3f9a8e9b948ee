import { OciError } from '../../oci/error.ts';
import { LATEST, parseReference, parseTag, type Reference, type Tag } from '../../oci/reference.ts';
import type { RepositoryName } from '../../oci/repository-name.ts';
import type { FoundManifest } from '../../registry/manifests.ts';
import type { Context } from '../context.ts';
import { sendAndKeep } from '../kept-answers.ts';
import {
  API_VERSION,
  cacheForEver,
  etagOf,
  isKnownToClient,
  methodNotAllowed,
  requireDigest,
} from './answers.ts';

/** Each tag of a push comes back in a line of its own; clients and proxies take 8 KiB of headers or more. */
const MAX_TAG_LINES_BYTES = 8000;
const TAG_LINE_BYTES = 'OCI-Tag: \r\n'.length;

/** end-3 and end-7: manifests by tag and by digest. */
export async function handleManifest(
  context: Context,
  repository: RepositoryName,
  reference: string,
): Promise<void> {
  switch (context.exchange.method) {
    case 'GET':
    case 'HEAD':
      return getManifest(context, repository, readReference(reference, unknownTag));
    case 'PUT':
      return putManifest(context, repository, readReference(reference, invalidTag));
    case 'DELETE':
      throw methodNotAllowed(
        context,
        'GET, HEAD, PUT',
        'manifests and tags are never deleted, so that every deployment can be traced',
      );
    default:
      throw methodNotAllowed(context, 'GET, HEAD, PUT');
  }
}

async function getManifest(context: Context, repository: RepositoryName, reference: Reference) {
  const { exchange, parts } = context;
  const manifest = await parts.manifests.find(repository, reference);
  const headers = {
    ...API_VERSION,
    'Content-Type': manifest.mediaType,
    'Docker-Content-Digest': manifest.digest,
    ...cachingHeaders(context, reference, manifest),
  };
  if (isKnownToClient(context, manifest.digest)) exchange.send({ status: 304, headers });
  else {
    const answer = { status: 200, headers, body: manifest.bytes };
    if (isForEver(reference, manifest)) sendAndKeep(context, 'manifest', repository, answer);
    else exchange.send(answer);
  }
}

/** Whether the reference will always find this manifest. */
function isForEver(reference: Reference, { isFixed }: FoundManifest): boolean {
  return isFixed && !(reference.kind === 'tag' && reference.tag === LATEST);
}

function cachingHeaders(context: Context, reference: Reference, manifest: FoundManifest) {
  if (!isForEver(reference, manifest)) return { 'Cache-Control': 'no-store' };
  const lifetime = reference.kind === 'digest' ? cacheForEver(context) : 'no-cache';
  return { ETag: etagOf(manifest.digest), 'Cache-Control': lifetime };
}

async function putManifest(context: Context, repository: RepositoryName, reference: Reference) {
  const { exchange, parts, caller } = context;
  const bytes = await exchange.body?.readAll(parts.manifestMaxBytes);
  if (bytes === 'cut') return;
  if (bytes === 'too-large') {
    throw new OciError('SIZE_INVALID', {
      status: 413,
      message: `the manifest is larger than the ${parts.manifestMaxBytes} bytes that are accepted: make it smaller, or ask the operator for a larger MANIFEST_MAX_BYTES`,
    });
  }
  const tags = readTags(exchange.query);
  const linesBytes = tags.reduce((sum, tag) => sum + TAG_LINE_BYTES + tag.length, 0);
  if (linesBytes > MAX_TAG_LINES_BYTES) throw tooManyTags();
  const headers = {
    contentType: exchange.header('content-type'),
    scmSource: exchange.header('x-scm-source'),
  };
  const body = bytes ?? new Uint8Array(0);
  const pushed = await parts.manifests.push(
    repository,
    reference,
    tags,
    body,
    headers,
    caller.principal,
  );
  exchange.send({
    status: 201,
    headers: {
      ...API_VERSION,
      Location: `/v2/${repository}/manifests/${pushed.digest}`,
      'Docker-Content-Digest': pushed.digest,
      ...(pushed.subject ? { 'OCI-Subject': pushed.subject } : {}),
      ...(tags.length > 0 ? { 'OCI-Tag': tags } : {}),
    },
  });
}

function readReference(text: string, refuseTag: () => OciError): Reference {
  const reference = parseReference(text);
  if (reference) return reference;
  // No tag has a colon.
  if (text.includes(':')) return { kind: 'digest', digest: requireDigest(text) };
  throw refuseTag();
}

/** The parameters `tag` (end-7b), each once: more tags for the same manifest. */
function readTags(query: string): Tag[] {
  if (query === '') return [];
  const tags = new URLSearchParams(query).getAll('tag').map((text) => {
    const tag = parseTag(text);
    if (tag === undefined) throw invalidTag();
    return tag;
  });
  return [...new Set(tags)];
}

const TAG_GRAMMAR = 'a tag has up to 128 letters, digits, and . _ -, the first being no . or -';

function tooManyTags(): OciError {
  return new OciError('SIZE_INVALID', {
    status: 414,
    message: `too many tags at once: their names may have some ${MAX_TAG_LINES_BYTES} characters; push the manifest again with the rest`,
  });
}

function invalidTag(): OciError {
  return new OciError('TAG_INVALID', { status: 400, message: `invalid tag: ${TAG_GRAMMAR}` });
}

/** A read of what can't be a tag finds nothing (distribution-spec, "Pulling manifests"): 404, as for any other. */
function unknownTag(): OciError {
  return new OciError('MANIFEST_UNKNOWN', {
    message: `manifest unknown to registry: ${TAG_GRAMMAR}`,
  });
}
