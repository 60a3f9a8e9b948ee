import { expect, test } from 'vitest';
import { ConfiguredTokenKeys, readTokenSecrets } from '../../src/auth/token-keys.ts';

const OLD = 'an old secret of thirty-two chars';
const NEW = 'a new secret of thirty-two charss';

test('one secret or two are read, separated by a comma', () => {
  expect(readTokenSecrets(OLD)).toEqual([OLD]);
  expect(readTokenSecrets(` ${NEW} , ${OLD}`)).toEqual([NEW, OLD]);
});

test.each([
  ['nothing', '', 'fewer than 32'],
  ['a short secret', 'x'.repeat(31), 'fewer than 32'],
  ['a short one behind a good one', `${NEW},short`, 'fewer than 32'],
  ['a comma too many', `${NEW},`, 'fewer than 32'],
  ['three secrets', `${NEW},${OLD},${OLD}`, 'more than two'],
])('%s is refused, and the refusal holds no secret', (_, text, problem) => {
  const read = () => readTokenSecrets(text);
  expect(read).toThrow(problem);
  expect(read).toThrow(expect.objectContaining({ message: expect.not.stringContaining('chars,') }));
});

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
