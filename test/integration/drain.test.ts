import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { drain } from '../../src/http/drain.ts';
import { listenNode } from '../../src/http/node-transport.ts';
import { listenUws } from '../../src/http/uws-transport.ts';
import { createLog } from '../../src/log.ts';
import { requestHead } from '../support/raw-http.ts';
import { OPTIONS, text } from '../support/transport-harness.ts';

const CLIENTS = 200;
const log = createLog('silent');

/** Sends a request once it is connected. @returns the answer, or what went wrong */
function ask(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => socket.write(requestHead('GET', '/')));
  return Promise.race([
    once(socket, 'data').then(([bytes]: unknown[]) => String(bytes)),
    once(socket, 'close').then(() => 'closed'),
  ])
    .catch((error: Error) => error.message)
    .finally(() => socket.destroy());
}

test.each([
  ['uWebSockets.js', listenUws],
  ['node:http', listenNode],
])('connections that wait to be accepted when it ends are answered: %s', async (_, listen) => {
  const transport = await listen(OPTIONS, async (exchange) => exchange.send(text('in time')));
  // The kernel has made these connections before anyone accepts one.
  const asked = Array.from({ length: CLIENTS }, () => ask(transport.port));
  await drain(transport, 10_000, log);

  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => !/^HTTP\/1\.1 200 .*in time$/s.test(answer))).toEqual([]);
  expect([transport.accepted, transport.connections]).toEqual([CLIENTS, 0]);
  expect(await ask(transport.port)).toContain('ECONNREFUSED');
});
