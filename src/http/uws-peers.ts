/** The part of uWebSockets.js' responses that tells where they go. */
interface Response {
  getRemoteAddress(): ArrayBuffer;
  getRemoteAddressAsText(): ArrayBuffer;
}

/**
 * The addresses of the connections' other ends. uWebSockets.js tells an address in new memory each time, which takes longer than
 * all the rest of an answer from memory. So it isn't asked while all connections come from one address, as behind a proxy.
 * Which connection was closed it doesn't tell: with several addresses it is asked until there is no connection at all.
 */
export class UwsPeers {
  #connections = 0;
  #accepted = 0;
  /** Of all connections; undefined when there are others. */
  #only: string | undefined;

  /** Call it for each connection, before that asks for anything. */
  opened(response: Response): void {
    const address = readAddress(response);
    if (this.#connections === 0) this.#only = address;
    else if (this.#only !== address) this.#only = undefined;
    this.#connections += 1;
    this.#accepted += 1;
  }

  closed(): void {
    this.#connections -= 1;
  }

  /** Of all times. */
  get accepted(): number {
    return this.#accepted;
  }

  get connections(): number {
    return this.#connections;
  }

  /** As text. */
  addressOf(response: Response): string {
    return this.#only ?? readAddress(response);
  }
}

/** How an address of IPv4 begins on a socket for IPv6 (RFC 4291, section 2.5.5.2). */
const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');

/** uWebSockets.js' own text is slower still; it is for IPv6. */
function readAddress(response: Response): string {
  const whole = Buffer.from(response.getRemoteAddress());
  const isMapped = whole.length === 16 && MAPPED.equals(whole.subarray(0, MAPPED.length));
  const bytes = isMapped ? whole.subarray(MAPPED.length) : whole;
  if (bytes.length === 4) return bytes.join('.');
  return Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
}
