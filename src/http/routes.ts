/** What a path of the registry protocol names, its parts not yet checked. */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'token' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'uploads'; readonly name: string }
  | { readonly kind: 'upload'; readonly name: string; readonly id: string }
  | { readonly kind: 'blob'; readonly name: string; readonly digest: string }
  | { readonly kind: 'manifest'; readonly name: string; readonly reference: string }
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'referrers'; readonly name: string; readonly digest: string };

const PREFIX = '/v2/';
const TOKEN = '/token';

/** Whether it is of the registry protocol, which has its own form of errors; other paths are of the REST API. */
export function isRegistryPath(path: string): boolean {
  return path === '/v2' || path.startsWith(PREFIX) || path === TOKEN;
}

/**
 * Reads a path below /v2/ from the right, since names have any number of segments, and segments of any name.
 * @returns undefined when it is no path of the protocol
 */
export function matchRoute(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === TOKEN) return { kind: 'token' };
  if (!path.startsWith(PREFIX)) return undefined;
  const segments = decodeSegments(path.slice(PREFIX.length));
  if (!segments) return undefined;
  if (segments.at(-1) === '') segments.pop();
  if (segments.length === 1 && segments[0] === '_catalog') return { kind: 'catalog' };
  return matchEnd(segments);
}

function matchEnd(segments: readonly string[]): Route | undefined {
  const [third = '', second = '', last = ''] = segments.slice(-3);
  const nameBefore = (count: number) => segments.slice(0, -count).join('/');
  if (segments.length >= 4 && third === 'blobs' && second === 'uploads') {
    return { kind: 'upload', name: nameBefore(3), id: last };
  }
  if (segments.length < 3) return undefined;
  const name = nameBefore(2);
  switch (second) {
    case 'blobs':
      return last === 'uploads' ? { kind: 'uploads', name } : { kind: 'blob', name, digest: last };
    case 'manifests':
      return { kind: 'manifest', name, reference: last };
    case 'referrers':
      return { kind: 'referrers', name, digest: last };
    case 'tags':
      return last === 'list' ? { kind: 'tags', name } : undefined;
    default:
      return undefined;
  }
}

/** Undefined when a percent-encoding is broken. */
function decodeSegments(path: string): string[] | undefined {
  const segments = path.split('/');
  if (!path.includes('%')) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
