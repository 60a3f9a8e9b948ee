import { type Caller, NOBODY } from '../../auth/access.ts';
import { OciError } from '../../oci/error.ts';
import type { RegistryParts } from '../context.ts';
import type { Exchange } from '../exchange.ts';
import type { ObservedExchange } from '../observed-exchange.ts';
import { uiAnswer } from '../ui/ui-handler.ts';
import type { Endpoint } from './endpoint.ts';
import { EndpointTable } from './endpoint-table.ts';
import { ENDPOINTS } from './endpoints.ts';
import { healthAnswer } from './health.ts';
import { restHeaders } from './rest-headers.ts';

const TABLE = new EndpointTable(ENDPOINTS);

const V1_IS_READ_ONLY =
  'the v1 protocol is not spoken here, but for a few reads: push and pull with Docker 1.10 or newer, which uses /v2/';

/** Answers what isn't below /v2/. @throws OciError, which error-response.ts renders as {message, details} */
export async function handleRest(exchange: ObservedExchange, parts: RegistryParts): Promise<void> {
  const headers = restHeaders(exchange, parts.proxies);
  if (exchange.method === 'OPTIONS') {
    exchange.send({ status: 200, headers });
    return;
  }
  const page = healthAnswer(exchange.path) ?? (await uiAnswer({ exchange, parts, caller: NOBODY }));
  if (page) {
    exchange.send({ ...page, headers: { ...headers, ...page.headers } });
    return;
  }
  const match = TABLE.match(exchange.path);
  if (!match) throw noSuchPath(exchange);
  const endpoint = endpointFor(exchange, match.endpoints);
  const caller = await enter(exchange, parts, endpoint);
  exchange.notes.uid = caller.principal.uid;
  const context = { exchange, parts, caller };
  const query = Object.fromEntries(new URLSearchParams(exchange.query));
  const reply = await endpoint.answerTo(context, match.values, query);
  const answer = {
    status: 200,
    headers: {
      ...headers,
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      ...reply.headers,
    },
  };
  if ('body' in reply) {
    exchange.send({ ...answer, body: JSON.stringify(reply.body) });
    return;
  }
  const { pieces } = reply.stream;
  if (exchange.method === 'HEAD') await tryFirst(pieces);
  await exchange.stream(answer, undefined, encode(pieces));
}

/** Who asks, once that is enough for the endpoint. What is for anybody looks at no credential. */
async function enter(
  exchange: Exchange,
  { gate }: RegistryParts,
  { access }: Endpoint,
): Promise<Caller> {
  if (access === 'none') return NOBODY;
  const caller = await gate.callerOf(exchange);
  gate.requireLists(exchange, caller, access === 'pull');
  return caller;
}

/** HEAD, which needs no piece, is refused as GET is. */
async function tryFirst(pieces: AsyncIterable<string>): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return?.();
}

/** HEAD is answered as GET, without the body. @throws OciError that names the methods */
function endpointFor(exchange: Exchange, endpoints: ReadonlyMap<string, Endpoint>): Endpoint {
  const endpoint = endpoints.get(exchange.method === 'HEAD' ? 'GET' : exchange.method);
  if (endpoint) return endpoint;
  const methods = [...endpoints.keys()].flatMap((name) =>
    name === 'GET' ? [name, 'HEAD'] : [name],
  );
  const allowed = [...methods, 'OPTIONS'].join(', ');
  throw new OciError('UNSUPPORTED', {
    message: `${exchange.method} is not supported here: use ${allowed}`,
    headers: { Allow: allowed },
  });
}

function noSuchPath({ method, path }: Exchange): OciError {
  const message = /^\/v1(\/|$)/.test(path)
    ? V1_IS_READ_ONLY
    : `${method} ${path.slice(0, 500)} not found. The registry has /v2/, and what /openapi.json names.`;
  return new OciError('UNSUPPORTED', { status: 404, message });
}

async function* encode(pieces: AsyncIterable<string>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) yield Buffer.from(piece);
}
