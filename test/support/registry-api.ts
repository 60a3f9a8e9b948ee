import { request as openRequest } from 'node:http';
import { sha256 } from './oci-layout.ts';

/** All that a registry may be asked for, so that it never has to choose. */
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** A hang shows as a failure that names the request, long before the test's own time-out. */
const REQUEST_TIMEOUT_MS = 60_000;

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
  const answer = await ask(address, { headers: { Accept: MANIFEST_TYPES } });
  expectStatus(200, answer, `GET ${address}`);
  return {
    bytes: answer.bytes,
    digest: sha256(answer.bytes),
    claimedDigest: answer.headers.get('docker-content-digest'),
  };
}

export async function getBlob(url: string, repository: string, digest: string): Promise<Buffer> {
  const address = `${url}/v2/${repository}/blobs/${digest}`;
  const answer = await ask(address);
  expectStatus(200, answer, `GET ${address}`);
  return answer.bytes;
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
    const answer = await ask(address, { method: 'POST' });
    expectStatus(202, answer, `POST ${address}`);
    return new Upload(new URL(answer.headers.get('location') ?? '', address));
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
    return this.#send('PATCH', this.#location, bytes, {
      'Content-Range': `${first}-${first + bytes.length - 1}`,
    });
  }

  /** A PATCH without Content-Range in chunked transfer coding: what docker does. */
  patchStream(bytes: Buffer): Promise<UploadAnswer> {
    return this.#send('PATCH', this.#location, new Blob([bytes]).stream());
  }

  /** Announces a PATCH of all bytes and breaks the connection when the kernel has taken the first `sent` of them. */
  async breakOff(
    bytes: Buffer,
    sent: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const request = openRequest(this.#location, {
      method: 'PATCH',
      headers: { 'Content-Type': 'application/octet-stream', ...headers },
    });
    const closed = new Promise((resolve) => request.on('close', resolve));
    // Its own end is an error to it.
    request.on('error', () => undefined);
    request.write(bytes.subarray(0, sent), () => request.destroy());
    await closed;
  }

  status(): Promise<UploadAnswer> {
    return this.#send('GET', this.#location);
  }

  /** The closing PUT. The session's location stays, so that it can be repeated. */
  finish(digest: string, rest?: Buffer): Promise<UploadAnswer> {
    const address = new URL(this.#location);
    address.searchParams.set('digest', digest);
    return this.#send('PUT', address, rest);
  }

  async #send(
    method: string,
    address: URL,
    body?: Buffer | ReadableStream<Uint8Array>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<UploadAnswer> {
    const answer = await ask(address, {
      method,
      headers: { 'Content-Type': 'application/octet-stream', ...headers },
      ...(body ? { body, duplex: 'half' } : {}),
    });
    const location = answer.headers.get('location');
    if (location && method !== 'PUT') this.#location = new URL(location, address);
    return {
      status: answer.status,
      range: answer.headers.get('range'),
      body: answer.bytes.toString(),
    };
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

async function ask(address: URL | string, request: RequestInit = {}): Promise<Answer> {
  try {
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const response = await fetch(address, { ...request, signal });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, bytes };
  } catch (cause) {
    throw new Error(`${request.method ?? 'GET'} ${String(address)} failed`, { cause });
  }
}

function expectStatus(status: number, answer: Answer, request: string): void {
  if (answer.status === status) return;
  throw new Error(`${request}: ${answer.status} ${answer.bytes.toString()}`);
}
