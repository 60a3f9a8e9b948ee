import { createHash } from 'node:crypto';
import { getHeapSnapshot, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { InvalidCredential, type TokenVerifier } from '../../src/auth/identity.ts';
import { TokenCheck } from '../../src/auth/token-check.ts';

const MIB = 1024 * 1024;

/** Answers at once: a bad token ends in 7. */
const instant: TokenVerifier = {
  setting: 'TEST',
  recognizes: () => true,
  verify: (token) => {
    if (token.endsWith('7')) return Promise.reject(new InvalidCredential('bad'));
    const principal = { uid: `user-${token.length}`, realm: 'employees' };
    return Promise.resolve({ principal, kind: 'oauth', scopes: new Set(['uid']) });
  },
};

/** Long, and in no source: a search of the heap finds it only where somebody holds it. */
function secretOf(seed: string): string {
  return createHash('sha512').update(seed).digest('hex');
}

/** Of what is in use, garbage aside. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
  return process.memoryUsage().heapUsed;
}

async function heapHolds(seeds: readonly string[]): Promise<boolean[]> {
  const pieces: Buffer[] = [];
  for await (const piece of getHeapSnapshot()) pieces.push(Buffer.from(piece));
  const snapshot = Buffer.concat(pieces);
  return seeds.map((seed) => snapshot.indexOf(secretOf(seed)) >= 0);
}

describe('the memory of the check of tokens', () => {
  test('is bounded with a million different ones', async () => {
    const check = new TokenCheck([instant]);
    const checkSome = async (from: number, to: number) => {
      for (let index = from; index < to; index += 1) {
        await check.check(`${'x'.repeat(1000)}${index}`).catch(() => undefined);
      }
    };
    await checkSome(0, 100_000);
    const before = heapUsed();
    await checkSome(100_000, 1_000_000);
    expect(check.size).toEqual({ known: 10_000, refused: 10_000, running: 0 });
    // The tokens alone would be 900 MiB.
    expect(heapUsed() - before).toBeLessThan(16 * MIB);
  });

  test('holds no token, of those that are remembered neither', async () => {
    const check = new TokenCheck([instant]);
    const held = [secretOf('held')];
    await check.check(`${secretOf('good')}0`);
    await check.check(`${secretOf('bad')}7`).catch(() => undefined);
    expect(check.size).toEqual({ known: 1, refused: 1, running: 0 });
    expect(await heapHolds(['held', 'good', 'bad'])).toEqual([true, false, false]);
    expect(held).toHaveLength(1);
  });
});
