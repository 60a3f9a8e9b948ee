/** Longer than uWebSockets.js keeps a connection on which nothing is under way. */
const FORGET_MS = 60_000;

/** The part of uWebSockets.js' responses that tells where they go. */
interface Response {
  getRemoteAddress(): ArrayBuffer;
  getRemoteAddressAsText(): ArrayBuffer;
}

/**
 * The addresses of the connections' other ends. uWebSockets.js tells an address in new memory each time, which takes longer than
 * all the rest of an answer from memory. So it isn't asked while all connections come from one address, as behind a proxy.
 */
export class UwsPeers {
  #address = '';
  /** No connection comes from another address. */
  #isOnly = true;
  /** When a connection from there, or from elsewhere, was opened, asked for something, or waited for it. */
  #seenMs = 0;
  #othersSeenMs = 0;
  #other = '';

  /** Call it for each connection, before that asks for anything. */
  opened(response: Response): void {
    this.#see(readAddress(response));
  }

  /** As text. */
  addressOf(response: Response): string {
    if (this.#isOnly) return this.#address;
    const address = readAddress(response);
    this.#see(address);
    return address;
  }

  /** Call it every few seconds. @param running all requests that are under way, which may take hours */
  review(running: Iterable<{ readonly remoteAddress: string }>): void {
    if (this.#isOnly) return;
    for (const { remoteAddress } of running) this.#see(remoteAddress);
    const nowMs = performance.now();
    if (nowMs - this.#othersSeenMs > FORGET_MS) this.#isOnly = true;
    else if (nowMs - this.#seenMs > FORGET_MS) {
      this.#address = this.#other;
      this.#seenMs = nowMs;
      this.#othersSeenMs = nowMs;
    }
  }

  #see(address: string): void {
    // Of a connection that is closed already.
    if (address === '') return;
    if (this.#address === '') this.#address = address;
    const nowMs = performance.now();
    if (address === this.#address) {
      this.#seenMs = nowMs;
      return;
    }
    // Until now nobody looked when it was seen.
    if (this.#isOnly) this.#seenMs = nowMs;
    this.#isOnly = false;
    this.#other = address;
    this.#othersSeenMs = nowMs;
  }
}

/** uWebSockets.js' own text is slower still; it is for IPv6. */
function readAddress(response: Response): string {
  const bytes = new Uint8Array(response.getRemoteAddress());
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  return Buffer.from(response.getRemoteAddressAsText()).toString('latin1');
}
