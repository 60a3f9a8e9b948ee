import type { LayoutImage } from '../oci-layout.ts';

/** What a client says about an image that it has pulled. */
export interface PulledImage {
  /** Of the manifest as the registry serves it. */
  readonly manifestDigest: string;
  readonly configDigest: string;
  /** Digests of the layers' plain tar archives, which the client verifies while it unpacks. */
  readonly diffIds: readonly string[];
}

/** A client of registries with a store of its own. A reference is `HOST:PORT/NAME:TAG`. */
export interface ImageClient {
  /** Takes an image into the client's store, under a reference. */
  load(image: LayoutImage, reference: string): Promise<void>;
  push(reference: string): Promise<void>;
  /** Removes the image with all its layers, so that a pull has to transfer them. */
  forget(reference: string): Promise<void>;
  pull(reference: string): Promise<PulledImage>;
}
