import { createHash } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { MIB } from './blob.ts';
import { startChild } from './child.ts';
import { makeDirectory, removeDirectory } from './directories.ts';
import { levelDisk } from './disk.ts';
import { askWithWrk } from './requests.ts';

/** What the machine can do at most, in 10^6 bytes per second, or requests per second: so far is ours from the limit. */
export interface Ceilings {
  /** Writing a file and fdatasync. */
  readonly disk: number;
  /** SHA-256 on one core. */
  readonly sha256: number;
  /** One connection on loopback. */
  readonly loopback: number;
  /** uWebSockets.js in one thread that says OK to everything, asked by wrk. */
  readonly requests: number;
}

const SIZE_MIB = 512;
const RECEIVE_BUFFER_BYTES = 512 * 1024;

export async function measureCeilings(): Promise<Ceilings> {
  return {
    disk: await measureDisk(),
    sha256: measureSha256(),
    loopback: await measureLoopback(),
    requests: await measureRequests(),
  };
}

async function measureDisk(): Promise<number> {
  await levelDisk(SIZE_MIB);
  const directory = makeDirectory();
  const path = join(directory, 'ceiling');
  const block = Buffer.alloc(MIB, 1);
  const start = performance.now();
  const file = openSync(path, 'w');
  for (let written = 0; written < SIZE_MIB; written += 1) writeSync(file, block);
  fdatasyncSync(file);
  const speed = speedSince(start);
  closeSync(file);
  rmSync(path);
  removeDirectory(directory);
  return speed;
}

function measureSha256(): number {
  const block = Buffer.alloc(MIB, 1);
  const hash = createHash('sha256');
  const start = performance.now();
  for (let hashed = 0; hashed < SIZE_MIB; hashed += 1) hash.update(block);
  hash.digest();
  return speedSince(start);
}

const SENDER = `
const { createServer } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const block = Buffer.alloc(${MIB}, 1);
const server = createServer((socket) => {
  let left = workerData;
  const send = () => (left-- > 0 ? socket.write(block, send) : socket.end());
  send();
});
server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const ANSWERER = `
const uWS = require('uWebSockets.js');
uWS.App()
  .any('/*', (response) => response.end('OK'))
  .listen('127.0.0.1', 0, (socket) => console.log('port ' + uWS.us_socket_local_port(socket)));
`;
const ANSWERER_SECONDS = 3;

async function measureRequests(): Promise<number> {
  // A process: it can't be loaded into a thread that ends.
  const child = startChild(process.execPath, ['-e', ANSWERER], {});
  try {
    const [, port] = (await child.line(/^port \d+$/)).split(' ');
    const request = { path: '/v2/' };
    return (await askWithWrk(`http://127.0.0.1:${port}`, request, ANSWERER_SECONDS)).perSecond;
  } finally {
    await child.stop();
  }
}

async function measureLoopback(): Promise<number> {
  const worker = new Worker(SENDER, { eval: true, workerData: SIZE_MIB });
  const port = await new Promise<unknown>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const start = performance.now();
  await new Promise<void>((resolve, reject) => {
    const buffer = Buffer.allocUnsafe(RECEIVE_BUFFER_BYTES);
    const onread = { buffer, callback: () => true };
    connect({ host: '127.0.0.1', port: Number(port), onread })
      .once('close', () => resolve())
      .once('error', reject);
  });
  const speed = speedSince(start);
  await worker.terminate();
  return speed;
}

function speedSince(start: number): number {
  return (SIZE_MIB * MIB) / 1e6 / ((performance.now() - start) / 1000);
}
