import type { Environment } from './environment.ts';
import { UsageError } from './errors.ts';

/** The proxy by which the URL is asked for, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say. @throws UsageError */
export function proxyFor(environment: Environment, url: URL): URL | undefined {
  const name = url.protocol === 'https:' ? 'https_proxy' : 'http_proxy';
  const text = read(environment, name);
  if (text === '' || goesWithout(read(environment, 'no_proxy'), url)) return undefined;
  if (URL.canParse(text)) return new URL(text);
  throw new UsageError(
    `${name.toUpperCase()} must be a URL such as http://proxy.example.org:3128.`,
  );
}

function read(environment: Environment, name: string): string {
  return environment[name] || environment[name.toUpperCase()] || '';
}

/** A name stands for what is below it, too; `*` for every host. */
function goesWithout(list: string, { hostname, port, protocol }: URL): boolean {
  const portOrDefault = port || (protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === '*') return true;
    const [, name = '', onlyPort = portOrDefault] =
      /^(?:\*?\.)?(.+?)(?::(\d+))?$/.exec(entry) ?? [];
    const isBelow = name !== '' && `.${hostname}`.endsWith(`.${name.toLowerCase()}`);
    return isBelow && onlyPort === portOrDefault;
  });
}
