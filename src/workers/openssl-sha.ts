import { endianness } from 'node:os';
import type { DigestAlgorithm } from '../oci/digest.ts';
import type { ResumableSha, ShaLibrary } from './resumable-sha.ts';
import { contextOf, SHAPES, savedStateOf } from './sha-state.ts';

/*
 * OpenSSL's SHA256_Init, _Update and _Final (openssl/sha.h), and those of SHA-512, which Node.js has in it and exports.
 * node:crypto calls others, whose state can't be saved. Contexts are memory of ours, in OpenSSL's layout (sha-state.ts).
 */

/** Each gives 1. The memory that they are given is read and written during the call alone. */
interface Functions {
  readonly init: (context: Uint8Array) => unknown;
  readonly update: (context: Uint8Array, bytes: Uint8Array, count: number) => unknown;
  readonly final: (digest: Uint8Array, context: Uint8Array) => unknown;
}

/** More than any context has, of a value that no initial one ends with. */
const PROBE_BYTES = 1024;
const PROBE_VALUE = 0xaa;

/**
 * 1.7 GB/s, and 0.2 us a call. Loads koffi into this thread, which takes 20 ms and up to 4 MB; a thread that is ended
 * meanwhile takes the process with it (koffi can't go on when JavaScript may not run, and aborts).
 * @throws what tells why it can't be used here: no koffi, no such functions, another layout
 */
export async function openOpensslSha(): Promise<ShaLibrary> {
  if (endianness() !== 'LE') throw new Error('this machine is not little-endian');
  const { load } = await import('koffi');
  const library = load(null);
  const functionsOf = (name: string): Functions => ({
    init: library.func(`int ${name}_Init(void *context)`),
    update: library.func(`int ${name}_Update(void *context, const void *bytes, size_t count)`),
    final: library.func(`int ${name}_Final(void *digest, void *context)`),
  });
  const functions = { sha256: functionsOf('SHA256'), sha512: functionsOf('SHA512') };
  const initial = {
    sha256: initialContext('sha256', functions.sha256),
    sha512: initialContext('sha512', functions.sha512),
  };
  return {
    name: 'openssl-resumable',
    async create(algorithm, from) {
      const context = from ? contextOf(algorithm, from) : new Uint8Array(initial[algorithm]);
      return context && new OpensslSha(algorithm, functions[algorithm], context);
    },
  };
}

/** @throws when a context is larger than it should be, or obviously of another layout */
function initialContext(algorithm: DigestAlgorithm, { init }: Functions): Uint8Array {
  const { contextBytes } = SHAPES[algorithm];
  const probe = new Uint8Array(PROBE_BYTES).fill(PROBE_VALUE);
  expectOne(init(probe));
  const context = probe.slice(0, contextBytes);
  const isLarger = probe.subarray(contextBytes).some((byte) => byte !== PROBE_VALUE);
  if (isLarger) throw new Error(`OpenSSL's context of ${algorithm} is larger than known`);
  savedStateOf(algorithm, context);
  return context;
}

class OpensslSha implements ResumableSha {
  readonly #algorithm: DigestAlgorithm;
  readonly #functions: Functions;
  readonly #context: Uint8Array;

  constructor(algorithm: DigestAlgorithm, functions: Functions, context: Uint8Array) {
    this.#algorithm = algorithm;
    this.#functions = functions;
    this.#context = context;
  }

  update(bytes: Uint8Array): void {
    expectOne(this.#functions.update(this.#context, bytes, bytes.length));
  }

  digest(): string {
    const digest = Buffer.alloc(SHAPES[this.#algorithm].digestBytes);
    // It ends a context: a copy's.
    expectOne(this.#functions.final(digest, new Uint8Array(this.#context)));
    return digest.toString('hex');
  }

  save(): Uint8Array {
    return savedStateOf(this.#algorithm, this.#context);
  }
}

function expectOne(result: unknown): void {
  if (result !== 1) throw new Error(`OpenSSL's function returned ${String(result)}`);
}
