import { BlockList, isIP, isIPv6 } from 'node:net';

/** The part of a request that these rules read. */
export interface ProxiedRequest {
  /** Of the connection's other end. */
  readonly remoteAddress: string;
  /** The value of a request header; `name` in lower case. Several lines are joined by commas. */
  header(name: string): string | undefined;
}

/** What a proxy adds for what it passes on (RFC 7239, and what was usual before it; RFC 9110, section 7.6.3). */
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'via'];

/** Who the client is, and what it calls the registry, as far as it can be believed. */
export interface Client {
  readonly address: string;
  /** `https://pierone.example.org`; undefined: what it wrote is no host name. */
  readonly origin: string | undefined;
}

/** A network; one address has all bits. */
export interface AddressRange {
  readonly address: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Proxies whose word about their clients is believed. */
export class Proxies {
  readonly #trusted = new BlockList();
  readonly #isEmpty: boolean;
  readonly #scheme: 'http' | 'https';

  /** @param scheme what the registry itself speaks */
  constructor(trusted: readonly AddressRange[], scheme: 'http' | 'https' = 'http') {
    this.#scheme = scheme;
    this.#isEmpty = trusted.length === 0;
    for (const { address, bits, family } of trusted) {
      this.#trusted.addSubnet(address, bits, family);
    }
  }

  trusts(address: string): boolean {
    if (this.#isEmpty || isIP(address) === 0) return false;
    return this.#trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  /** Whether a proxy passed it on, or seems to have: nothing depends on it but how the connection is used. */
  isProxied(request: ProxiedRequest): boolean {
    for (const name of FORWARDING_HEADERS) if (request.header(name) !== undefined) return true;
    return !this.#isEmpty && this.trusts(request.remoteAddress);
  }

  /** The client behind trusted proxies; without them the connection's other end. */
  clientOf(request: ProxiedRequest): Client {
    const hops = this.trusts(request.remoteAddress) ? readHops(request) : [];
    const host = hops.at(-1)?.host ?? request.header('host') ?? '';
    const scheme = hops.at(-1)?.scheme ?? this.#scheme;
    return {
      address: this.#addressOf(request.remoteAddress, hops),
      origin: isOrigin(scheme, host) ? `${scheme}://${host.toLowerCase()}` : undefined,
    };
  }

  /** That of `clientOf`. */
  addressOf(request: ProxiedRequest): string {
    const { remoteAddress } = request;
    if (!this.trusts(remoteAddress)) return remoteAddress;
    return this.#addressOf(remoteAddress, readHops(request));
  }

  /** Each trusted proxy vouches for the hop before it; the first address that isn't one is the client. */
  #addressOf(remoteAddress: string, hops: readonly Hop[]): string {
    let address = remoteAddress;
    for (const { from } of hops.toReversed()) {
      if (!this.trusts(address) || from === undefined) break;
      address = from;
    }
    return address;
  }
}

/** One proxy's word about the request that it received. */
interface Hop {
  readonly from: string | undefined;
  readonly scheme: string | undefined;
  readonly host: string | undefined;
}

/**
 * The hops, the nearest last. A proxy passes the header that it doesn't know on as its client wrote it: where
 * both kinds are there, neither can be believed.
 */
function readHops(request: ProxiedRequest): Hop[] {
  const forwarded = request.header('forwarded');
  const forwardedFor = request.header('x-forwarded-for');
  if (forwarded !== undefined && forwardedFor !== undefined) return [];
  if (forwarded !== undefined) return splitList(forwarded).map(readForwarded);
  const last = (name: string) => splitList(request.header(name) ?? '').at(-1);
  const nearest = { scheme: last('x-forwarded-proto'), host: last('x-forwarded-host') };
  const hops: Hop[] = splitList(forwardedFor ?? '').map((text) => ({
    from: parseNode(text),
    scheme: undefined,
    host: undefined,
  }));
  return [...hops.slice(0, -1), { from: hops.at(-1)?.from, ...nearest }];
}

/** One element of Forwarded: `for=192.0.2.1;proto=https;host="a:8080"` (RFC 7239, section 4). */
function readForwarded(element: string): Hop {
  const pairs = new Map<string, string>();
  for (const pair of element.split(';')) {
    const [, name, quoted, token] =
      /^\s*([!#$%&'*+.^_`|~\w-]+)=(?:"([^"\\]*)"|([^\s";,]*))\s*$/.exec(pair) ?? [];
    if (name !== undefined) pairs.set(name.toLowerCase(), quoted ?? token ?? '');
  }
  return {
    from: parseNode(pairs.get('for') ?? ''),
    scheme: pairs.get('proto'),
    host: pairs.get('host'),
  };
}

function splitList(header: string): string[] {
  return header
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** An address, with or without port, IPv6 in brackets or bare. Undefined: a name, or nothing that is known. */
function parseNode(text: string): string | undefined {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1];
  const withPort = /^([\d.]+):\d+$/.exec(text)?.[1];
  const address = bracketed ?? withPort ?? text;
  return isIP(address) === 0 ? undefined : address;
}

function isOrigin(scheme: string, host: string): boolean {
  return (
    /^https?$/.test(scheme) && /^([a-z\d.-]{1,253}|\[[\da-f:.]{2,45}\])(:\d{1,5})?$/i.test(host)
  );
}
