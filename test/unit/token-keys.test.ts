import { expect, test } from 'vitest';
import { ConfiguredTokenKeys } from '../../src/auth/token-keys.ts';

const OLD = 'an old secret of thirty-two chars';
const NEW = 'a new secret of thirty-two charss';

test('the first secret signs, both are found by the id that all instances derive alike', async () => {
  const instance = new ConfiguredTokenKeys([NEW, OLD]);
  const older = await new ConfiguredTokenKeys([OLD]).signingKey();
  const newer = await new ConfiguredTokenKeys([NEW]).signingKey();
  expect(await instance.signingKey()).toEqual(newer);
  expect(await instance.findKey(older.id)).toEqual(older);
  expect(await instance.findKey(newer.id)).toEqual(newer);
  expect(await instance.findKey('unknown')).toBeUndefined();
  await instance.close();
});

test('neither id nor key holds the secret', async () => {
  const { id, secret } = await new ConfiguredTokenKeys([NEW]).signingKey();
  expect(secret).toHaveLength(32);
  expect(Buffer.from(secret).toString('hex')).not.toContain(id);
  expect(Buffer.from(secret).toString()).not.toContain('secret');
});
