import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** EC2's instance metadata service in its version 2 alone: what comes without a session is refused. */
export interface InstanceMetadata {
  readonly url: string;
  /** Of all requests, in their order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export async function startInstanceMetadata(pkcs7: string): Promise<InstanceMetadata> {
  const session = randomBytes(16).toString('base64');
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    const answer = (status: number, text = '') => response.writeHead(status).end(text);
    const { headers } = request;
    if (line === 'PUT /latest/api/token') {
      const seconds = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
      // As the real one: forwarded requests are none of this machine's.
      const isOwn = seconds > 0 && headers['x-forwarded-for'] === undefined;
      return isOwn ? answer(200, session) : answer(400);
    }
    if (headers['x-aws-ec2-metadata-token'] !== session) return answer(401);
    return line === 'GET /latest/dynamic/instance-identity/pkcs7'
      ? answer(200, pkcs7)
      : answer(404);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
