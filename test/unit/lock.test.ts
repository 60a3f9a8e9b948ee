import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ resolved: z.string().optional(), hasInstallScript: z.boolean().optional() }),
  ),
});

test('@scarf/scarf, which reports installations, is replaced by an empty package', () => {
  const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
  const { packages } = lockSchema.parse(JSON.parse(text));
  const found = Object.entries(packages).filter(([name]) => /scarf/.test(name));
  expect(found).toEqual([
    ['node_modules/@scarf/scarf', { resolved: 'scripts/no-scarf' }],
    ['scripts/no-scarf', {}],
  ]);
});
