import { connect } from 'node:net';
import type { HeadReport } from './plan.ts';

const REQUEST_LINE = 'GET /v2/ HTTP/1.1\r\n';
/** Never the end of the head, and less than the head of a request may have. */
const HEADERS = Buffer.from(`Host: registry.example\r\nX-Long: ${'x'.repeat(8 * 1024)}`);
/** A server that has not cut it after so long never will. */
const PATIENCE_MS = 120_000;

/** Sends a request line, and then a byte of a header a second, until the server cuts the connection. Never rejects. */
export function sendHeadSlowly(port: number): Promise<HeadReport> {
  return new Promise((resolve) => {
    const begin = Date.now();
    let sent = 0;
    let answer: string | undefined;
    let wasCut = true;
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.write(REQUEST_LINE);
    const timer = setInterval(() => {
      if (Date.now() - begin > PATIENCE_MS) {
        wasCut = false;
        socket.destroy();
      } else socket.write(HEADERS.subarray(sent, (sent += 1)));
    }, 1000);
    socket.on('data', (data) => {
      answer ??= data.toString('latin1').split('\r\n', 1)[0];
    });
    // A reset is one of the ways to be cut.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      resolve({ wasCut, answer, seconds: (Date.now() - begin) / 1000 });
    });
  });
}
