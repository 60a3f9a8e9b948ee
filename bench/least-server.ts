/*
 * The least that says what GET /v2/ is answered with; least.ts starts it once for each step. A step does all that those before it do:
 * nothing here is checked, kept for later or told apart, as a registry has to.
 */

import uWS from 'uWebSockets.js';
import { Registry } from 'prom-client';
import { type AccessLine, createAccessLog, createLog, standardOutput } from '../src/log.ts';
import { RequestMetrics } from '../src/request-metrics.ts';
import { STEPS, type Step } from './least-steps.ts';

const BODY = Buffer.from('OK');
/** As Pier One's. */
const HEAD = Buffer.from(
  [
    '200 OK',
    'Docker-Distribution-Api-Version: registry/2.0',
    'Vary: Authorization',
    'Content-Type: text/plain; charset=utf-8',
    'Keep-Alive: timeout=10',
  ].join('\r\n'),
);

const last = STEPS.findIndex((step) => step === process.argv[2]);
const does = (step: Step) => STEPS.indexOf(step) <= last;
const writesHead = does('head');
const readsRequest = does('request');
const readsClocks = does('clocks');
const metrics = does('metrics') ? new RequestMetrics(new Registry()) : undefined;
const output = standardOutput();
const accessLog = does('log') ? createAccessLog(createLog('info', output)) : undefined;
let count = 0;

function answer(response: uWS.HttpResponse): void {
  if (writesHead) response.writeStatus(HEAD);
  response.end(BODY);
}

function serve(response: uWS.HttpResponse, request: uWS.HttpRequest): void {
  if (!readsRequest) {
    answer(response);
    return;
  }
  const method = request.getMethod();
  const path = request.getUrl();
  request.getQuery();
  const headers = new Map<string, string>();
  request.forEach((name, value) => headers.set(name, value));
  const begin = readsClocks ? performance.now() : 0;
  answer(response);
  if (!readsClocks) return;
  const ms = Math.round((performance.now() - begin) * 1000) / 1000;
  const endMs = Date.now();
  count += 1;
  tell({
    requestId: `least-${count}`,
    method: method.toUpperCase(),
    path,
    route: 'base',
    status: 200,
    receivedBytes: 0,
    sentBytes: BODY.length,
    ms,
    endMs,
    client: '127.0.0.1',
    uid: undefined,
    userAgent: headers.get('user-agent'),
    code: undefined,
    isCut: false,
    trace: undefined,
  });
}

function tell(line: AccessLine): void {
  metrics?.requestBegan();
  metrics?.requestEnded(line);
  accessLog?.(line);
}

uWS
  .App()
  .any('/*', serve)
  .listen('127.0.0.1', 0, (socket) => {
    if (!socket) throw new Error('no port');
    output.write(`${JSON.stringify({ port: uWS.us_socket_local_port(socket) })}\n`);
  });
process.once('SIGTERM', () => process.exit());
