import { expect } from 'vitest';
import type { LayoutImage } from '../oci-layout.ts';
import { getManifest } from '../registry-api.ts';
import type { ImageClient } from './image-client.ts';

export interface RoundTrip {
  /** host:port/NAME:TAG */
  readonly reference: string;
  /** Between the push and the pull. */
  readonly onPushed?: () => Promise<void>;
}

/** Pushes an image, forgets it, pulls it, and expects it to be the same. */
export async function pushAndPull(
  client: ImageClient,
  image: LayoutImage,
  { reference, onPushed }: RoundTrip,
): Promise<void> {
  await client.load(image, reference);
  await client.push(reference);
  await onPushed?.();
  await client.forget(reference);

  const pulled = await client.pull(reference);

  const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? [];
  const served = await getManifest(`http://${host}`, repository, tag);
  expect(served.claimedDigest).toBe(served.digest);
  expect(pulled).toEqual({
    manifestDigest: served.digest,
    configDigest: image.configDigest,
    diffIds: image.diffIds,
  });
}
