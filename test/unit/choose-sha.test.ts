import { expect, test } from 'vitest';
import { chooseSha } from '../../src/workers/choose-sha.ts';
import { createDigestEngine } from '../../src/workers/digest-engine.ts';
import { openOpensslSha } from '../../src/workers/openssl-sha.ts';
import type { ResumableSha, ShaLibrary } from '../../src/workers/resumable-sha.ts';
import { wasmSha } from '../../src/workers/wasm-sha.ts';
import { present } from '../support/vocabulary.ts';

/** OpenSSL as it would be with a mistake: each hash may be replaced by one that makes it. */
async function mistaken(change: (sha: ResumableSha) => Partial<ResumableSha>): Promise<ShaLibrary> {
  const openssl = await openOpensslSha();
  return {
    name: 'mistaken',
    async create(algorithm, from) {
      const sha = present(await openssl.create(algorithm, from), 'a hash');
      const changed = change(sha);
      return {
        update: changed.update ?? ((bytes) => sha.update(bytes)),
        digest: changed.digest ?? (() => sha.digest()),
        save: changed.save ?? (() => sha.save()),
      };
    },
  };
}

const with0At = (bytes: Uint8Array, at: number) => bytes.map((byte, n) => (n === at ? 0 : byte));

test('here it is OpenSSL', async () => {
  const { library, problem } = await chooseSha();
  expect([library.name, problem]).toEqual(['openssl-resumable', undefined]);
  const plan = { kind: 'resumable', algorithm: 'sha256', from: undefined } as const;
  expect((await createDigestEngine(plan)).name).toBe('openssl-resumable');
});

test.each([
  [new Error("Cannot find package 'koffi'"), "Cannot find package 'koffi'"],
  ['a text', 'a text'],
])(
  'hash-wasm takes over where OpenSSL cannot be opened, and it is said why: %s',
  async (...row) => {
    const [error, wanted] = row;
    const { library, problem } = await chooseSha(() => Promise.reject(error));
    expect(library).toBe(wasmSha);
    expect(problem).toBe(wanted);
  },
);

test.each([
  ['digests wrong', () => ({ digest: () => '00'.repeat(32) }), /^the self-test failed: "abc" by/],
  ['forgets a byte', (sha) => ({ update: (b) => sha.update(b.subarray(1)) }), /^the self-test/],
  ['saves a wrong word', (sha) => ({ save: () => with0At(sha.save(), 80) }), /^the self-test/],
  ['saves a wrong count', (sha) => ({ save: () => with0At(sha.save(), 68) }), /^the self-test/],
  [
    'loses bits beyond 2^32',
    (sha) => ({ save: () => with0At(sha.save(), 72) }),
    /after 21474836480/,
  ],
  ['saves another format', (sha) => ({ save: () => with0At(sha.save(), 0) }), /can't load a state/],
  [
    'fails',
    () => ({
      update: () => {
        throw new Error('it failed');
      },
    }),
    /^it failed$/,
  ],
] satisfies readonly (readonly [string, (sha: ResumableSha) => Partial<ResumableSha>, RegExp])[])(
  'hash-wasm takes over from an OpenSSL that %s',
  async (_, change, wanted) => {
    const { library, problem } = await chooseSha(() => mistaken(change));
    expect(library).toBe(wasmSha);
    expect(problem).toMatch(wanted);
  },
);
