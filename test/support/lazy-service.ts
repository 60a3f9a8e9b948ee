import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { JsonValue } from './json.ts';

/** What all tests of a run share, as the run itself starts and ends it. */
export interface SharedService {
  stop(): Promise<void>;
}

/** Where tests, which are processes of their own, ask for it. */
export interface LazyService {
  readonly url: string;
  /** Ends it, if anybody asked. */
  end(): Promise<void>;
}

/** Starts it when the first test asks. @param show what a test has to know of it */
export async function serveLazily<Service extends SharedService>(
  start: () => Promise<Service>,
  show: (service: Service) => object,
): Promise<LazyService> {
  let service: Promise<Service> | undefined;
  const server = createServer((_, response) => {
    service ??= start();
    void answer(response, service.then(show));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}/`,
    async end() {
      server.close();
      server.closeAllConnections();
      await (await service?.catch(() => undefined))?.stop();
    },
  };
}

async function answer(response: ServerResponse, shown: Promise<object>): Promise<void> {
  try {
    response.end(JSON.stringify(await shown));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}

/** Asks for it. @throws Error with `hint` when it can't be started */
export async function askFor(url: string, hint: string): Promise<JsonValue> {
  const response = await fetch(url);
  const text = await response.text();
  if (!response.ok) throw new Error(`${hint}\n${text}`);
  return JsonValue.parse(text);
}
