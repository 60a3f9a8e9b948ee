import { IdentityUnavailable } from './identity.ts';
import { type JsonAnswer, requestJson } from './json-request.ts';

/**
 * GET with the bearer's own token.
 * @returns undefined for 404; else the status is 200
 * @throws IdentityUnavailable; also when the token is refused, since that says nothing of what was asked for
 */
export async function askAsBearer(
  setting: string,
  url: URL,
  token: string,
): Promise<JsonAnswer | undefined> {
  const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
  const answer = await requestJson(setting, url, { headers });
  switch (answer.status) {
    case 200:
      return answer;
    case 404:
      return undefined;
    case 401:
    case 403:
      throw new IdentityUnavailable(
        setting,
        `it refuses the token that the client gave (status ${answer.status}), so the client's teams aren't known`,
      );
    default:
      throw new IdentityUnavailable(setting, `it answers with status ${answer.status}`);
  }
}

/**
 * The URL of `segments` below `base`, each percent-encoded.
 * @throws RangeError for an empty one, `.` and `..`, which a URL can't hold as segments
 */
export function endpointBelow(base: URL, ...segments: readonly string[]): URL {
  if (segments.some((segment) => /^\.{0,2}$/.test(segment))) {
    throw new RangeError('a path segment is missing, or leads elsewhere');
  }
  const url = new URL(base);
  const path = segments.map(encodeURIComponent).join('/');
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}
