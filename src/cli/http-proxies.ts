import { EnvHttpProxyAgent, request as requestVia } from 'undici';
import type { Environment } from './environment.ts';
import type { Send } from './http.ts';
import { IDLE_TIMEOUT_MS } from './http-direct.ts';

/** As HTTP_PROXY, HTTPS_PROXY and NO_PROXY say, or their lower-case forms. */
export function sendViaProxies(environment: Environment): Send {
  const read = (name: string) => environment[name] || environment[name.toUpperCase()] || '';
  const agents = new Map<readonly string[] | undefined, EnvHttpProxyAgent>();
  const agentFor = (ca: readonly string[] | undefined) => {
    const trust = ca ? { ca: [...ca] } : {};
    const agent = new EnvHttpProxyAgent({
      httpProxy: read('http_proxy'),
      httpsProxy: read('https_proxy'),
      noProxy: read('no_proxy'),
      // A proxy that is asked for http:// is told the whole URL: few let tunnels go to port 80.
      proxyTunnel: false,
      connect: trust,
      requestTls: trust,
      proxyTls: trust,
    });
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
