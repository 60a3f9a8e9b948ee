import type { LayoutImage } from '../oci-layout.ts';

/** What a client says about an image that it has pulled. */
export interface PulledImage {
  /** Of the manifest as the registry serves it. */
  readonly manifestDigest: string;
  readonly configDigest: string;
  /** Digests of the layers' plain tar archives, which the client verifies while it unpacks. */
  readonly diffIds: readonly string[];
}

/** What a client proves with who it is. */
export interface Login {
  readonly user: string;
  readonly password: string;
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

/** A client whose pull can be measured apart from what reads the result. */
export interface MeasurableClient extends ImageClient {
  /** A pull, and no more. */
  fetch(reference: string): Promise<void>;
  /** Of an image that was pulled last. */
  inspect(reference: string): Promise<PulledImage>;
}

/** A client with credentials of its own, none at first. A host is `HOST:PORT`. */
export interface LoginClient extends ImageClient {
  /** Gives an image of the client's store another reference. */
  tag(reference: string, other: string): Promise<void>;
  /** Replaces the login that was there. @throws CommandError when the registry refuses it */
  login(host: string, login: Login): Promise<void>;
  /** Harmless without a login. */
  logout(host: string): Promise<void>;
}
