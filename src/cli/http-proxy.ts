import type { Agent } from 'node:http';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import type { Send } from './http.ts';
import { sendBy } from './http-direct.ts';

/** Sends requests by one proxy: https:// in a tunnel; of http:// it is told the whole URL, since few let tunnels go to port 80. */
export function sendByProxy(proxy: URL): Send {
  return (request, ca) => {
    const trust = ca ? { ca: [...ca] } : {};
    const agent: Agent =
      request.url.protocol === 'https:'
        ? new HttpsProxyAgent(proxy, trust)
        : new HttpProxyAgent(proxy, trust);
    return sendBy(agent, request, ca);
  };
}
