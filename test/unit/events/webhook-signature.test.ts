import { describe, expect, test } from 'vitest';
import { readWebhookSecret, signatureHeaders } from '../../../src/events/webhook-signature.ts';

/** The vector that the libraries of the Standard Webhooks specification are tested with. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  seconds: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

const base64 = (length: number) => Buffer.alloc(length, 7).toString('base64');

function keyOf(secret: string): Buffer {
  const key = readWebhookSecret(secret);
  if (!key) throw new Error('no key');
  return key;
}

describe('the signature', () => {
  const now = new Date(VECTOR.seconds * 1000 + 999);
  const sign = (...keys: Buffer[]) => signatureHeaders(VECTOR.id, VECTOR.body, keys, now);

  test('is that of the specification’s vector', () => {
    expect(sign(keyOf(VECTOR.secret))).toEqual({
      'webhook-id': VECTOR.id,
      'webhook-timestamp': String(VECTOR.seconds),
      'webhook-signature': VECTOR.signature,
    });
  });

  test('is made with each key, in their order', () => {
    const other = keyOf(`whsec_${base64(32)}`);
    const signatures = sign(other, keyOf(VECTOR.secret))['webhook-signature']?.split(' ');
    expect(signatures).toHaveLength(2);
    expect(signatures?.[1]).toBe(VECTOR.signature);
  });

  test('is left out without a key; the id is there all the same', () => {
    expect(Object.keys(sign())).toEqual(['webhook-id', 'webhook-timestamp']);
  });
});

describe('a secret', () => {
  test.each([24, 25, 32, 64])('has %i bytes', (length) => {
    expect(readWebhookSecret(`whsec_${base64(length)}`)).toHaveLength(length);
  });

  test('may leave out the padding', () => {
    expect(readWebhookSecret(`whsec_${base64(32).replace('=', '')}`)).toHaveLength(32);
  });

  test.each<[string, string]>([
    ['without whsec_', base64(32)],
    ['that is short', `whsec_${base64(23)}`],
    ['that is long', `whsec_${base64(65)}`],
    ['with a character that is none of base64', `whsec_!${base64(32)}`],
    ['with a line’s end', `whsec_${base64(32)}\n`],
    ['of base64url', `whsec_${'-_'.repeat(16)}`],
    ['that is empty', ''],
  ])('%s is none', (_, secret) => {
    expect(readWebhookSecret(secret)).toBeUndefined();
  });
});
