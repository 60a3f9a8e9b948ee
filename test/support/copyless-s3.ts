import { once } from 'node:events';
import { createServer, request as openRequest } from 'node:http';
import { pipeline } from 'node:stream';

/** An S3 that passes everything on but copies, which it says it doesn't know, as some of S3's likes do. */
export interface CopylessS3 {
  readonly endpoint: string;
  /** How often it was asked to copy. */
  refusals(): number;
  close(): Promise<void>;
}

const REFUSAL =
  '<?xml version="1.0" encoding="UTF-8"?><Error><Code>NotImplemented</Code><Message>no copies</Message></Error>';

export async function startCopylessS3(endpoint: string): Promise<CopylessS3> {
  const { hostname, port } = new URL(endpoint);
  let refusals = 0;
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    if (headers['x-amz-copy-source'] !== undefined) {
      refusals += 1;
      incoming.resume();
      outgoing.writeHead(501, { 'Content-Type': 'application/xml' }).end(REFUSAL);
      return;
    }
    const request = openRequest({ hostname, port, method, path: url, headers });
    request.once('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      pipeline(response, outgoing, () => undefined);
    });
    pipeline(incoming, request, (error) => {
      if (error) outgoing.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    refusals: () => refusals,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
