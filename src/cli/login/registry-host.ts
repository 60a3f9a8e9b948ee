/** What an image's name begins with for this registry, and what docker and podman know it by: with the port unless it is the usual one. */
export function registryHost(url: URL): string {
  return url.host;
}

/** Of what a client wants credentials for: a host, or a URL that begins with it. undefined for anything else */
export function askedHost(text: string): string | undefined {
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.username === '' && url.password === '' && url.host !== '' ? url.host : undefined;
}
