import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DIGEST_ALGORITHMS, type DigestAlgorithm } from '../../src/oci/digest.ts';
import { createDigestEngine } from '../../src/workers/digest-engine.ts';
import type { DigestPlan, DigestState } from '../../src/workers/ingest.ts';
import { openOpensslSha } from '../../src/workers/openssl-sha.ts';
import type { ShaLibrary } from '../../src/workers/resumable-sha.ts';
import { wasmSha } from '../../src/workers/wasm-sha.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { present } from '../support/vocabulary.ts';

const openssl = await openOpensslSha();

interface Case {
  readonly algorithm: DigestAlgorithm;
  readonly library: ShaLibrary;
}

const CASES = DIGEST_ALGORITHMS.flatMap((algorithm) =>
  [openssl, wasmSha].map((library) => ({ algorithm, library })),
);

const NOTHING = { digest: undefined, state: undefined };

function expected(algorithm: DigestAlgorithm, bytes: Uint8Array): string {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** The state after `bytes`, as it would lie in the database. */
async function stateAfter({ algorithm, library }: Case, bytes: Uint8Array): Promise<DigestState> {
  const plan = { kind: 'resumable', algorithm, from: undefined } as const;
  const engine = await createDigestEngine(plan, library);
  engine.update(bytes);
  return present(engine.checkpoint().state, 'the state');
}

describe.each(CASES)('$algorithm by $library.name', ({ algorithm, library }) => {
  const create = (plan: DigestPlan) => createDigestEngine(plan, library);

  test.each(['whole', 'resumable'] as const)('%s digests as OpenSSL does', async (kind) => {
    const random = new SeededRandom(31);
    for (const length of [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 100_000]) {
      const bytes = random.bytes(length);
      const engine = await create({ kind, algorithm, from: undefined });
      for (const chunk of random.cut(bytes, 7000)) engine.update(chunk);
      expect(engine.checkpoint().digest, `${length} bytes`).toBe(expected(algorithm, bytes));
    }
  });

  test.each(['whole', 'resumable'] as const)('%s goes on after a checkpoint', async (kind) => {
    const engine = await create({ kind, algorithm, from: undefined });
    let text = '';
    for (const word of ['one', '', 'two', 'three']) {
      engine.update(Buffer.from(word));
      text += word;
      expect(engine.checkpoint().digest).toBe(expected(algorithm, Buffer.from(text)));
      expect(engine.checkpoint().digest).toBe(expected(algorithm, Buffer.from(text)));
    }
  });

  test('whole leaves no state', async () => {
    const engine = await create({ kind: 'whole', algorithm });
    engine.update(Buffer.from('bytes'));
    expect(engine.checkpoint().state).toBeUndefined();
  });

  test.each([1, 2, 3, 4, 5])('any instance goes on from a saved state: run %d', async (seed) => {
    const random = new SeededRandom(seed);
    const bytes = random.bytes(random.integer(1, 50_000));
    let from: DigestState | undefined;
    let done = 0;
    for (const piece of random.cut(bytes, 9000)) {
      const engine = await create({ kind: 'resumable', algorithm, from });
      for (const chunk of random.cut(piece, 500)) engine.update(chunk);
      done += piece.length;
      const { digest, state } = engine.checkpoint();
      expect(digest).toBe(expected(algorithm, bytes.subarray(0, done)));
      // What comes out of a database is a copy, and may be a Buffer within a larger one.
      const { engine: name, state: saved } = present(state, 'the state');
      from = { engine: name, state: Buffer.concat([saved]) };
    }
    expect(done).toBe(bytes.length);
  });

  test('a saved state is a snapshot: the engine that left it may go on', async () => {
    const engine = await create({ kind: 'resumable', algorithm, from: undefined });
    engine.update(Buffer.from('one'));
    const { state } = engine.checkpoint();
    engine.update(Buffer.from('two'));
    engine.checkpoint();
    const other = await create({ kind: 'resumable', algorithm, from: state });
    other.update(Buffer.from('2'));
    expect(other.checkpoint().digest).toBe(expected(algorithm, Buffer.from('one2')));
  });

  test('engines that run side by side do not mix', async () => {
    const plan = { kind: 'resumable', algorithm, from: undefined } as const;
    const [a, b] = await Promise.all([create(plan), create(plan)]);
    for (const word of ['x', 'y', 'z']) {
      a.update(Buffer.from(word));
      b.update(Buffer.from(word.toUpperCase()));
    }
    expect(a.checkpoint().digest).toBe(expected(algorithm, Buffer.from('xyz')));
    expect(b.checkpoint().digest).toBe(expected(algorithm, Buffer.from('XYZ')));
  });

  test('a state that cannot be loaded leaves no digest, rather than a wrong one', async () => {
    const good = await stateAfter({ algorithm, library }, Buffer.from('bytes'));
    const otherAlgorithm = algorithm === 'sha256' ? 'sha512' : 'sha256';
    const other = await stateAfter({ algorithm: otherAlgorithm, library }, Buffer.from('x'));
    const broken: readonly (readonly [string, DigestState])[] = [
      ['of another engine', { ...good, engine: 'openssl-3' }],
      ['of another version', { ...good, engine: 'hash-wasm-3' }],
      ['of another algorithm', other],
      ['empty', { ...good, state: new Uint8Array(0) }],
      ['cut', { ...good, state: good.state.subarray(0, -1) }],
      ['too long', { ...good, state: Buffer.concat([good.state, Buffer.of(0)]) }],
      ['of zeros', { ...good, state: new Uint8Array(good.state.length) }],
    ];
    for (const [what, from] of broken) {
      const engine = await create({ kind: 'resumable', algorithm, from });
      engine.update(Buffer.from('more'));
      expect(engine.checkpoint(), what).toEqual(NOTHING);
    }
  });
});

test('without a plan nothing is digested', async () => {
  const engine = await createDigestEngine({ kind: 'none' });
  engine.update(Buffer.from('bytes'));
  expect(engine.checkpoint()).toEqual(NOTHING);
});
