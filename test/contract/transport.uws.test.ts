import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadUws } from '../../src/http/open-transport.ts';
import { requestHead } from '../support/raw-http.ts';
import { Served, text } from '../support/transport-harness.ts';
import { describeTransport } from './transport.ts';

const listenUws = await loadUws();

describeTransport('uWebSockets.js', listenUws);

describe('uWebSockets.js, whose idle time-out is shorter than that of proxies', () => {
  let served: Served;

  beforeEach(async () => {
    served = await Served.start(listenUws);
  });

  afterEach(() => served.stop());

  test.each([
    ['says Connection: close to a proxy', { 'X-Forwarded-For': '192.0.2.7' }, 'close'],
    ['does not say it to others', {}, undefined],
  ])('%s', async (_, headers, connection) => {
    const client = await served.connect();
    client.send(requestHead('GET', '/', headers));
    (await served.next()).send(text('hello'));
    expect((await client.readAnswer()).headers.get('connection')).toBe(connection);
  });
});
