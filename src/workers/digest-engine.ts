import { createHash, type Hash } from 'node:crypto';
import { type Digest, type DigestAlgorithm, digestOf } from '../oci/digest.ts';
import { chooseSha } from './choose-sha.ts';
import type { DigestPlan, DigestState } from './ingest.ts';
import type { ResumableSha, ShaLibrary } from './resumable-sha.ts';
import { SAVED_FORMAT } from './sha-state.ts';
import { reporter } from './thread-report.ts';

/** Hashes a run of bytes and can say where it stands at any time. */
export interface DigestEngine {
  /** For people who look at metrics. */
  readonly name: string;
  update(bytes: Uint8Array): void;
  /** Digest and state after the bytes so far; more may follow. */
  checkpoint(): { readonly digest: Digest | undefined; readonly state: DigestState | undefined };
}

/**
 * A state that can't be loaded leaves no digest: the closing PUT reads the bytes again instead.
 * @param library instead of this thread's
 */
export async function createDigestEngine(
  plan: DigestPlan,
  library?: ShaLibrary,
): Promise<DigestEngine> {
  switch (plan.kind) {
    case 'whole':
      return new WholeEngine(plan.algorithm);
    case 'resumable': {
      const { algorithm, from } = plan;
      if (from && from.engine !== SAVED_FORMAT) return NO_ENGINE;
      const used = library ?? (await ownLibrary());
      const sha = await used.create(algorithm, from?.state);
      return sha ? new ResumableEngine(used.name, algorithm, sha) : NO_ENGINE;
    }
    case 'none':
      return NO_ENGINE;
  }
}

let chosen: Promise<ShaLibrary> | undefined;

/** Loads what digests chunks in this thread: 30 ms. */
export async function loadDigests(): Promise<void> {
  await ownLibrary();
}

/** Of this thread. */
function ownLibrary(): Promise<ShaLibrary> {
  chosen ??= chooseSha().then(({ library, problem }) => {
    if (problem !== undefined) reporter.digestsSlowly(problem);
    return library;
  });
  return chosen;
}

/** OpenSSL through node:crypto: 1.7 GB/s, but its state can't be saved. */
class WholeEngine implements DigestEngine {
  readonly name = 'openssl';
  readonly #algorithm: DigestAlgorithm;
  readonly #hash: Hash;

  constructor(algorithm: DigestAlgorithm) {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  checkpoint() {
    const digest = digestOf(this.#algorithm, this.#hash.copy().digest('hex'));
    return { digest, state: undefined };
  }
}

/** Its state can be saved, so that any instance goes on from any chunk. */
class ResumableEngine implements DigestEngine {
  readonly name: string;
  readonly #algorithm: DigestAlgorithm;
  readonly #sha: ResumableSha;

  constructor(name: string, algorithm: DigestAlgorithm, sha: ResumableSha) {
    this.name = name;
    this.#algorithm = algorithm;
    this.#sha = sha;
  }

  update(bytes: Uint8Array): void {
    this.#sha.update(bytes);
  }

  checkpoint() {
    const digest = digestOf(this.#algorithm, this.#sha.digest());
    return { digest, state: { engine: SAVED_FORMAT, state: this.#sha.save() } };
  }
}

const NO_ENGINE: DigestEngine = {
  name: 'none',
  update() {},
  checkpoint: () => ({ digest: undefined, state: undefined }),
};
