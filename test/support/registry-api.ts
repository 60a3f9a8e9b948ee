import { type HttpAnswer, HttpClient, type HttpOptions } from './http-client.ts';
import { sha256 } from './oci-layout.ts';

/** All that a registry may be asked for, so that it never has to choose. */
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

const OCTETS = { 'Content-Type': 'application/octet-stream' };

/** A hang shows as a failure that names the request, long before the test's own time-out. */
const REQUEST_TIMEOUT_MS = 120_000;

export interface ServedManifest {
  readonly bytes: Buffer;
  /** Of the bytes, computed here. */
  readonly digest: string;
  /** What the registry says that the digest is. */
  readonly claimedDigest: string | null;
}

export async function getManifest(
  url: string,
  repository: string,
  reference: string,
): Promise<ServedManifest> {
  const address = `${url}/v2/${repository}/manifests/${reference}`;
  const { body: bytes, headers } = await ask('GET', address, 200, {
    headers: { Accept: MANIFEST_TYPES },
  });
  return {
    bytes,
    digest: sha256(bytes),
    claimedDigest: headers['docker-content-digest'] ?? null,
  };
}

export async function getBlob(url: string, repository: string, digest: string): Promise<Buffer> {
  const address = `${url}/v2/${repository}/blobs/${digest}`;
  return (await ask('GET', address, 200)).body;
}

export interface UploadAnswer {
  readonly status: number;
  /** The Range header: first and last byte that the registry has. */
  readonly range: string | null;
  readonly body: string;
}

/** One upload session. It follows the Location of each answer, also to a server that was started anew. */
export class Upload {
  #location: URL;

  private constructor(location: URL) {
    this.#location = location;
  }

  static async start(url: string, repository: string): Promise<Upload> {
    const address = `${url}/v2/${repository}/blobs/uploads/`;
    const { headers } = await ask('POST', address, 202);
    return new Upload(new URL(headers['location'] ?? '', address));
  }

  get location(): URL {
    return this.#location;
  }

  /** The server has another address now. */
  moveTo(url: string): void {
    this.#location = new URL(this.#location.pathname + this.#location.search, url);
  }

  /** A chunk, as the specification calls a PATCH with Content-Range. */
  patchChunk(bytes: Buffer, first: number): Promise<UploadAnswer> {
    const headers = { 'Content-Range': `${first}-${first + bytes.length - 1}` };
    return this.#send('PATCH', this.#location, { body: bytes, headers });
  }

  /** A PATCH without Content-Range in chunked transfer coding: what docker does. */
  patchStream(bytes: Buffer): Promise<UploadAnswer> {
    return this.#send('PATCH', this.#location, { body: bytes, isChunked: true });
  }

  /** Announces a PATCH of all bytes and breaks the connection when the kernel has taken the first `sent` of them. */
  async breakOff(
    bytes: Buffer,
    sent: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const request = clientOf(this.#location).open('PATCH', pathOf(this.#location), {
      ...OCTETS,
      ...headers,
    });
    await request.write(bytes.subarray(0, sent));
    request.cut();
    // Its own end is an error to it.
    await request.answer.catch(() => undefined);
  }

  status(): Promise<UploadAnswer> {
    return this.#send('GET', this.#location);
  }

  /** The closing PUT. The session's location stays, so that it can be repeated. */
  finish(digest: string, rest?: Buffer): Promise<UploadAnswer> {
    const address = new URL(this.#location);
    address.searchParams.set('digest', digest);
    return this.#send('PUT', address, rest ? { body: rest } : {});
  }

  async #send(method: string, address: URL, options: HttpOptions = {}): Promise<UploadAnswer> {
    const { status, headers, body } = await ask(method, address, undefined, {
      ...options,
      headers: { ...OCTETS, ...options.headers },
    });
    const location = headers['location'];
    if (location && method !== 'PUT') this.#location = new URL(location, address);
    return { status, range: headers['range'] ?? null, body: body.toString() };
  }
}

/** @throws when the answer has another status than `expected`, if that is given */
async function ask(
  method: string,
  address: URL | string,
  expected?: number,
  options: HttpOptions = {},
): Promise<HttpAnswer> {
  const url = new URL(address);
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
  const answer = await clientOf(url)
    .send(method, pathOf(url), { ...options, signal })
    .catch((cause: unknown) => {
      throw new Error(`${method} ${url.href} failed`, { cause });
    });
  if (expected === undefined || answer.status === expected) return answer;
  throw new Error(`${method} ${url.href}: ${answer.status} ${answer.body.toString()}`);
}

function clientOf(url: URL): HttpClient {
  return new HttpClient(url.origin);
}

function pathOf({ pathname, search }: URL): string {
  return pathname + search;
}
