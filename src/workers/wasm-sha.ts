import { createSHA256, createSHA512, type IHasher } from 'hash-wasm';
import type { ResumableSha, ShaLibrary } from './resumable-sha.ts';

/** hash-wasm: 0.36 GB/s, but it runs everywhere. */
export const wasmSha: ShaLibrary = {
  name: 'wasm',
  async create(algorithm, from) {
    const hasher = await (algorithm === 'sha256' ? createSHA256() : createSHA512());
    hasher.init();
    return from && !load(hasher, from) ? undefined : new WasmSha(hasher);
  },
};

function load(hasher: IHasher, from: Uint8Array): boolean {
  try {
    hasher.load(new Uint8Array(from));
    return true;
  } catch {
    return false;
  }
}

class WasmSha implements ResumableSha {
  readonly #hasher: IHasher;

  constructor(hasher: IHasher) {
    this.#hasher = hasher;
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  digest(): string {
    const state = this.#hasher.save();
    const digest = this.#hasher.digest('hex');
    this.#hasher.load(state);
    return digest;
  }

  save(): Uint8Array {
    return this.#hasher.save();
  }
}
