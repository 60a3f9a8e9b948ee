import type { Endpoint, Values } from './endpoint.ts';

/** What a path names: its endpoints by method, and the values in it. */
export interface PathMatch {
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  readonly values: Values;
}

interface Entry {
  readonly segments: readonly string[];
  readonly endpoints: Map<string, Endpoint>;
}

/** Finds endpoints by paths; a template's literal segment goes before another one's parameter. */
export class EndpointTable {
  readonly #entries: readonly Entry[];

  constructor(endpoints: readonly Endpoint[]) {
    const entries = new Map<string, Entry>();
    for (const endpoint of endpoints) {
      const entry = entries.get(endpoint.template) ?? {
        segments: endpoint.template.slice(1).split('/'),
        endpoints: new Map(),
      };
      entry.endpoints.set(endpoint.method, endpoint);
      entries.set(endpoint.template, entry);
    }
    this.#entries = [...entries.values()].toSorted((a, b) => parameterCount(a) - parameterCount(b));
  }

  /** @param path as it was sent; slashes at its end don't count */
  match(path: string): PathMatch | undefined {
    const segments = decodeSegments(path);
    if (!segments) return undefined;
    for (const { segments: template, endpoints } of this.#entries) {
      const values = matchSegments(template, segments);
      if (values) return { endpoints, values };
    }
    return undefined;
  }
}

function parameterCount({ segments }: Entry): number {
  return segments.filter((segment) => nameOf(segment) !== undefined).length;
}

function nameOf(segment: string): string | undefined {
  return /^\{(\w+)\}$/.exec(segment)?.[1];
}

function matchSegments(
  template: readonly string[],
  segments: readonly string[],
): Values | undefined {
  if (template.length !== segments.length) return undefined;
  const values: Record<string, string> = {};
  for (const [index, part] of template.entries()) {
    const segment = segments[index] ?? '';
    const name = nameOf(part);
    if (name === undefined ? part !== segment : segment === '') return undefined;
    if (name !== undefined) values[name] = segment;
  }
  return values;
}

/** Undefined when a percent-encoding is broken. */
function decodeSegments(path: string): string[] | undefined {
  const segments = path.slice(1).split('/');
  while (segments.at(-1) === '') segments.pop();
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
