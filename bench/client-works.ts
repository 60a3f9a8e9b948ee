import { deepStrictEqual } from 'node:assert/strict';
import { type LayoutImage, makeImage } from '../test/support/oci-layout.ts';
import { run } from '../test/support/process-runner.ts';
import { getManifest } from '../test/support/registry-api.ts';
import { untilStill } from '../test/support/wait-until.ts';
import type { Workspace } from '../test/support/workspace.ts';
import { MIB } from './blob.ts';
import type { ClientSubject, NamedClient } from './client-scene.ts';
import { levelDisk } from './disk.ts';
import { loopbackBytes } from './loopback.ts';
import { dropPageCache } from './page-cache.ts';
import { cpuSeconds, storageReadBytes } from './process-usage.ts';

/** Of layers of random bytes. */
export interface ImageKind {
  readonly id: string;
  readonly layers: number;
  readonly layerMib: number;
}

/** An image that only this client and this registry know. */
export interface ClientTask {
  readonly subject: ClientSubject;
  readonly client: NamedClient;
  readonly kind: ImageKind;
  readonly image: LayoutImage;
  /** host:port/NAME:TAG */
  readonly reference: string;
}

/** What one run of a work gave. */
export interface ClientFigure {
  /** From the start of the client's command to its end. */
  readonly seconds: number;
  /** The server's, of all its threads, until it rests again: it may go on when the client has ended. */
  readonly cpuSeconds: number;
  /** That went over loopback, both ways. */
  readonly carriedBytes: number;
  /** That the server read from the disk. */
  readonly storageBytes: number;
}

export interface ClientWork {
  readonly name: string;
  /** Whether all layers have to go over the wire. */
  readonly isTransfer: boolean;
  readonly needsColdServer: boolean;
  /** What isn't measured. */
  prepare?(task: ClientTask): Promise<void>;
  run(task: ClientTask): Promise<void>;
  /** @throws when the result isn't what it has to be */
  verify?(task: ClientTask): Promise<void>;
}

const push: ClientWork['run'] = ({ client: { client }, reference }) => client.push(reference);

const PULL = {
  isTransfer: true,
  prepare: ({ client: { client }, reference }: ClientTask) => client.forget(reference),
  run: ({ client: { client }, reference }: ClientTask) => client.fetch(reference),
  verify: verifyPulled,
};

/** In the order in which they are done with an image. */
export const CLIENT_WORKS: readonly ClientWork[] = [
  { name: 'first push', isTransfer: true, needsColdServer: false, run: push },
  { name: 'second push, unchanged', isTransfer: false, needsColdServer: false, run: push },
  { name: 'pull', needsColdServer: false, ...PULL },
  { name: "pull, server's page cache cold", needsColdServer: true, ...PULL },
];

let images = 0;

/** Gives the client a new image for a new repository. */
export async function openTask(
  workspace: Workspace,
  subject: ClientSubject,
  client: NamedClient,
  kind: ImageKind,
): Promise<ClientTask> {
  images += 1;
  const layerBytes = kind.layerMib * MIB;
  const image = await makeImage(workspace.path(`image-${images}`), {
    layers: kind.layers,
    layerBytes,
  });
  const { host } = new URL(subject.registry.url);
  const reference = `${host}/bench/${client.name}-${kind.id}-${images}:1.0`;
  await client.client.load(image, reference);
  return { subject, client, kind, image, reference };
}

export async function measure(work: ClientWork, task: ClientTask): Promise<ClientFigure> {
  const { pid } = task.subject.registry;
  const sizeMib = task.kind.layers * task.kind.layerMib;
  await work.prepare?.(task);
  if (work.isTransfer) await levelDisk(sizeMib);
  if (work.needsColdServer) await coolServer(task.client);
  const before = readCounters(pid);
  const start = performance.now();
  await work.run(task);
  const seconds = (performance.now() - start) / 1000;
  const carriedBytes = loopbackBytes() - before.carriedBytes;
  await untilStill("the server's CPU", () => cpuSeconds(pid));
  const after = readCounters(pid);
  const figure = {
    seconds,
    cpuSeconds: after.cpuSeconds - before.cpuSeconds,
    carriedBytes,
    storageBytes: after.storageBytes - before.storageBytes,
  };
  expectBytes(work, figure, sizeMib * MIB);
  await work.verify?.(task);
  return figure;
}

function readCounters(pid: number): Omit<ClientFigure, 'seconds'> {
  return {
    cpuSeconds: cpuSeconds(pid),
    carriedBytes: loopbackBytes(),
    storageBytes: storageReadBytes(pid),
  };
}

/** Random bytes can't be compressed, so that less would mean that something wasn't transferred, or wasn't cold. */
function expectBytes(work: ClientWork, figure: ClientFigure, layerBytes: number): void {
  const { carriedBytes, storageBytes } = figure;
  if (work.isTransfer && carriedBytes < layerBytes) {
    throw new Error(`${work.name}: ${carriedBytes} bytes of ${layerBytes} were carried`);
  }
  if (work.needsColdServer && storageBytes < layerBytes) {
    const what = `${work.name}: the server read ${storageBytes} bytes of ${layerBytes} from the disk`;
    throw new Error(`${what}; where it can't be made cold, take --cold no`);
  }
}

/** Only the server's files are to be read from disk, not the client's program too. */
async function coolServer({ name }: NamedClient): Promise<void> {
  await dropPageCache();
  await run(name, ['--version']);
}

/** Digests of manifest, configuration and layers: the client's against the registry's and those of what was pushed. */
async function verifyPulled({ subject, client, image, reference }: ClientTask): Promise<void> {
  const { url } = subject.registry;
  const [repository = '', tag = ''] = reference.slice(reference.indexOf('/') + 1).split(':');
  const served = await getManifest(url, repository, tag);
  deepStrictEqual(await client.client.inspect(reference), {
    manifestDigest: served.digest,
    configDigest: image.configDigest,
    diffIds: image.diffIds,
  });
}
