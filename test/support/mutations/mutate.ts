import type { SeededRandom } from '../seeded-random.ts';
import { breakRequest, halveRequest } from './broken-requests.ts';
import { mutateHeaders } from './headers.ts';
import { mutateDocument } from './json-documents.ts';
import type { Scene } from './scene.ts';
import { mutatePath, mutateQuery } from './targets.ts';
import { validRequest } from './valid-requests.ts';
import { encode, headOf, type WireBytes, type WireRequest } from './wire-request.ts';

/** What every server knows; others are for broken-requests.ts. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const LARGE_BYTES = 5 * 1024 * 1024;
/** What every server takes: Node.js has 16 KiB, uWebSockets.js 100 headers. */
const MAX_HEAD_BYTES = 12_000;
const MAX_HEADERS = 90;

/** A valid request with up to `depth` mutations, which leave it HTTP: the registry has to answer. */
export function mutatedRequest(random: SeededRandom, scene: Scene, depth: number): WireBytes {
  return encode(mutated(random, scene, depth), random);
}

/** Bytes that end what a connection sends: broken, or the beginning of a request. */
export function lastBytes(random: SeededRandom, scene: Scene, depth: number): WireBytes {
  const request = mutated(random, scene, random.isIn(50) ? 0 : depth);
  return random.isIn(70) ? breakRequest(request, random) : halveRequest(request, random);
}

function mutated(random: SeededRandom, scene: Scene, depth: number): WireRequest {
  let request = validRequest(random, scene);
  for (let n = random.integer(0, depth); n > 0; n -= 1) {
    const changed = mutateOnce(request, random, scene);
    if (isTakenByAll(changed)) request = changed;
  }
  return request;
}

function isTakenByAll(request: WireRequest): boolean {
  return request.headers.length <= MAX_HEADERS && headOf(request, []).length <= MAX_HEAD_BYTES;
}

function mutateOnce(request: WireRequest, random: SeededRandom, scene: Scene): WireRequest {
  switch (random.integer(1, 10)) {
    case 1:
    case 2:
      return { ...request, segments: mutatePath(request, random, scene) };
    case 3:
    case 4:
      return { ...request, query: mutateQuery(request, random, scene) };
    case 5:
    case 6:
      return mutateHeaders(request, random, scene);
    case 7:
      return { ...request, method: random.pick(METHODS) };
    default:
      return mutateBody(request, random);
  }
}

/** Requests without a body keep none. */
function mutateBody(request: WireRequest, random: SeededRandom): WireRequest {
  if (request.framing === 'none') {
    return random.isIn(5) ? { ...request, framing: 'chunked', body: Buffer.from('abc') } : request;
  }
  if (random.isIn(0.3)) return { ...request, body: Buffer.alloc(LARGE_BYTES, '{"a":"b"}') };
  if (random.isIn(10)) return { ...request, body: Buffer.alloc(0) };
  if (random.isIn(10)) return { ...request, framing: 'none', body: Buffer.alloc(0) };
  return { ...request, body: mutateDocument(request.body, random) };
}
