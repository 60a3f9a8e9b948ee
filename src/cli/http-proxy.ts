import { ProxyAgent, request as requestVia } from 'undici';
import type { Send } from './http.ts';
import { IDLE_TIMEOUT_MS } from './http-direct.ts';

/** Sends requests by one proxy. */
export function sendByProxy(proxy: URL): Send {
  const agents = new Map<readonly string[] | undefined, ProxyAgent>();
  const agentFor = (ca: readonly string[] | undefined) => {
    const trust = ca ? { ca: [...ca] } : {};
    // A proxy that is asked for http:// is told the whole URL: few let tunnels go to port 80.
    const options = { uri: proxy.href, proxyTunnel: false, requestTls: trust, proxyTls: trust };
    const agent = new ProxyAgent(options);
    agents.set(ca, agent);
    return agent;
  };
  return async ({ method = 'GET', url, headers = {}, body, idleTimeoutMs }, ca) => {
    const timeoutMs = idleTimeoutMs ?? IDLE_TIMEOUT_MS;
    const answer = await requestVia(url, {
      dispatcher: agents.get(ca) ?? agentFor(ca),
      method,
      headers,
      body: body ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const { statusCode: status, headers: answered, body: content } = answer;
    const cancel = () => void content.on('error', () => undefined).destroy();
    return { status, headers: answered, body: content, cancel };
  };
}
