import { openOpensslSha } from './openssl-sha.ts';
import type { ShaLibrary } from './resumable-sha.ts';
import { testSha } from './sha-self-test.ts';
import { wasmSha } from './wasm-sha.ts';

export interface ChosenSha {
  readonly library: ShaLibrary;
  /** Why it isn't the fast one. */
  readonly problem: string | undefined;
}

/** OpenSSL, where it can be called and passes its test; else hash-wasm. */
export async function chooseSha(open = openOpensslSha): Promise<ChosenSha> {
  try {
    const library = await open();
    await testSha(library, wasmSha);
    return { library, problem: undefined };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { library: wasmSha, problem };
  }
}
