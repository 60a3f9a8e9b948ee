import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Identity,
  IdentityUnavailable,
  InvalidCredential,
  type TokenVerifier,
} from '../../../src/auth/identity.ts';
import { TokenCheck } from '../../../src/auth/token-check.ts';

let now = 0;

beforeEach(() => {
  now = 1_000_000;
});

function identity(uid: string, expires?: number): Identity {
  return { principal: { uid }, kind: 'oauth', scopes: new Set(['uid']), expires };
}

/** Knows each token whose text begins with its prefix, as a user of that name. */
class PrefixVerifier implements TokenVerifier {
  readonly setting = 'TEST';
  readonly asked: string[] = [];
  readonly #prefix: string;
  /** What happens in place of the answer. */
  answer: (token: string) => Promise<Identity> = (token) => Promise.resolve(identity(token));

  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  recognizes(token: string): boolean {
    return token.startsWith(this.#prefix);
  }

  verify(token: string): Promise<Identity> {
    this.asked.push(token);
    return this.answer(token);
  }
}

function setUp(options: object = {}) {
  const verifier = new PrefixVerifier();
  return { verifier, check: new TokenCheck([verifier], { now: () => now, ...options }) };
}

/** Answers that are given when the test says so. */
function answersLater(verifier: PrefixVerifier) {
  const pending: { resolve: (found: Identity) => void; reject: (error: Error) => void }[] = [];
  verifier.answer = () =>
    new Promise((resolve, reject) => {
      pending.push({ resolve, reject });
    });
  return pending;
}

describe('which verifier', () => {
  test('the first that recognizes a token checks it', async () => {
    const [jwts, others] = [new PrefixVerifier('ey'), new PrefixVerifier()];
    const check = new TokenCheck([jwts, others]);
    await check.check('eyJ');
    await check.check('opaque');
    expect([jwts.asked, others.asked]).toEqual([['eyJ'], ['opaque']]);
  });

  test('a token that none recognizes is invalid', async () => {
    const check = new TokenCheck([new PrefixVerifier('ey')]);
    await expect(check.check('opaque')).rejects.toThrow(InvalidCredential);
  });
});

describe('a valid token', () => {
  test('is asked about once in two minutes', async () => {
    const { verifier, check } = setUp();
    for (let time = 0; time < 1000; time += 1) await check.check('token');
    now += 119_999;
    expect(check.cached('token')).toEqual(identity('token'));
    await check.check('token');
    expect(verifier.asked).toHaveLength(1);
    now += 1;
    expect(check.cached('token')).toBeUndefined();
    await check.check('token');
    expect(verifier.asked).toHaveLength(2);
  });

  test('is known for two minutes from the question, not from a late answer', async () => {
    const { verifier, check } = setUp();
    const pending = answersLater(verifier);
    const checking = check.check('token');
    now += 5000;
    pending[0]?.resolve(identity('token'));
    await checking;
    now += 115_000;
    expect(check.cached('token')).toBeUndefined();
  });

  test('never outlives its end', async () => {
    const { verifier, check } = setUp();
    const expires = now + 30_000;
    verifier.answer = (token) => Promise.resolve(identity(token, expires));
    await check.check('token');
    now = expires - 1;
    expect(check.cached('token')).toBeDefined();
    now = expires;
    expect(check.cached('token')).toBeUndefined();
    await expect(check.check('token')).rejects.toThrow('the token has expired');
  });

  test('is refused when it was revoked and two minutes have passed', async () => {
    const { verifier, check } = setUp();
    await check.check('token');
    verifier.answer = () => Promise.reject(new InvalidCredential('revoked'));
    now += 120_000;
    await expect(check.check('token')).rejects.toThrow('revoked');
  });

  test('has one question for all who ask at the same time', async () => {
    const { verifier, check } = setUp();
    const pending = answersLater(verifier);
    const all = Array.from({ length: 1000 }, () => check.check('token'));
    pending[0]?.resolve(identity('token'));
    expect(new Set(await Promise.all(all)).size).toBe(1);
    expect(verifier.asked).toHaveLength(1);
    expect(check.size).toEqual({ known: 1, refused: 0, running: 0 });
  });
});

describe('a bad token', () => {
  test('is asked about once in ten seconds, and refused alike meanwhile', async () => {
    const { verifier, check } = setUp();
    verifier.answer = () => Promise.reject(new InvalidCredential('names no user', 'forbidden'));
    for (let time = 0; time < 100; time += 1) {
      const refused = expect(check.check('bad')).rejects;
      await refused.toMatchObject({
        name: 'InvalidCredential',
        kind: 'forbidden',
        message: 'names no user',
      });
    }
    expect(verifier.asked).toHaveLength(1);
    now += 10_000;
    await expect(check.check('bad')).rejects.toThrow(InvalidCredential);
    expect(verifier.asked).toHaveLength(2);
  });

  test('pushes out no valid one, however many there are', async () => {
    const { verifier, check } = setUp({ maxEntries: 10 });
    await check.check('good');
    verifier.answer = () => Promise.reject(new InvalidCredential('bad'));
    for (let index = 0; index < 100; index += 1) {
      await expect(check.check(`bad-${index}`)).rejects.toThrow('bad');
    }
    expect(check.cached('good')).toBeDefined();
    expect(check.size).toEqual({ known: 1, refused: 10, running: 0 });
  });
});

describe('a dependency that is down', () => {
  test('fails those who ask at the same time, and is asked anew by the next', async () => {
    const { verifier, check } = setUp();
    const pending = answersLater(verifier);
    const both = [check.check('token'), check.check('token')];
    const refused = Promise.all(
      both.map((one) => expect(one).rejects.toThrow(IdentityUnavailable)),
    );
    pending[0]?.reject(new IdentityUnavailable('TEST', 'down'));
    await refused;
    expect(verifier.asked).toHaveLength(1);
    verifier.answer = (token) => Promise.resolve(identity(token));
    expect(await check.check('token')).toEqual(identity('token'));
  });

  test('is asked about so many tokens at once; beyond those that wait: unavailable', async () => {
    const { verifier, check } = setUp({ maxRunning: 3, maxWaiting: 4 });
    const pending = answersLater(verifier);
    const waiting = Array.from({ length: 7 }, (_, index) => check.check(`token-${index}`));
    await expect(check.check('one more')).rejects.toThrow(
      'TEST: too many tokens are being checked',
    );
    expect(verifier.asked).toHaveLength(3);
    verifier.answer = (token) => Promise.resolve(identity(token));
    for (const { resolve } of pending) resolve(identity('token'));
    expect(await Promise.all(waiting)).toHaveLength(7);
    expect(await check.check('one more')).toEqual(identity('one more'));
  });

  test('holds up no other verifier', async () => {
    const [slow, fast] = [new PrefixVerifier('slow'), new PrefixVerifier()];
    const check = new TokenCheck([slow, fast], { maxRunning: 1, maxWaiting: 1 });
    const pending = answersLater(slow);
    const held = [check.check('slow-1'), check.check('slow-2')];
    expect(await check.check('fast')).toEqual(identity('fast'));
    pending[0]?.resolve(identity('slow-1'));
    await new Promise(setImmediate);
    pending[1]?.resolve(identity('slow-2'));
    await Promise.all(held);
  });
});

test('memory is bounded by what identities hold, not by their number alone', async () => {
  const { verifier, check } = setUp({ maxBytes: 1024 * 1024 });
  const teams = new Set(Array.from({ length: 1000 }, (_, index) => `team-${index}`));
  verifier.answer = (token) => Promise.resolve({ ...identity(token), teams });
  for (let index = 0; index < 100; index += 1) await check.check(`token-${index}`);
  expect(check.size.known).toBeGreaterThan(5);
  expect(check.size.known).toBeLessThan(20);
});
