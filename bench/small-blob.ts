import type { HttpAnswer, HttpClient } from '../test/support/http-client.ts';
import { expectStatus, type Sample } from '../test/support/sample-content.ts';

/** How many requests {@link pushSmallBlob} sends. */
export const REQUESTS_PER_BLOB = 3;

/** POST, PATCH, PUT, as docker and skopeo push a blob of any size. */
export async function pushSmallBlob(
  api: HttpClient,
  repository: string,
  { bytes, digest }: Sample,
): Promise<void> {
  const post = api.send('POST', `/v2/${repository}/blobs/uploads/`);
  const upload = pathOf(await expectStatus(post, 202));
  const headers = { 'Content-Type': 'application/octet-stream' };
  const patch = api.send('PATCH', upload, { headers, body: bytes, isChunked: true });
  const end = pathOf(await expectStatus(patch, 202));
  const query = `${end.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  await expectStatus(api.send('PUT', end + query), 201);
}

/** A Location is relative, or names the server that answered. */
function pathOf({ headers }: HttpAnswer): string {
  const { pathname, search } = new URL(headers['location'] ?? '', 'http://127.0.0.1');
  return pathname + search;
}
