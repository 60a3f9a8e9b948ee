import { digestOf } from '../sample-content.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Scene } from './scene.ts';

const HEX = 'a1'.repeat(32);
const ABSENT = digestOf('absent');

/** Digests that can't be meant; each may stand in a path or a query. */
export const STRANGE_DIGESTS: readonly string[] = [
  ABSENT,
  digestOf('absent', 'sha512'),
  `sha256:${HEX.toUpperCase()}`,
  `SHA256:${HEX}`,
  `sha256:${HEX.slice(1)}`,
  `sha256:${HEX}0`,
  `sha512:${HEX}`,
  `sha256:${HEX}${HEX}`,
  `sha384:${HEX}${HEX.slice(32)}`,
  `md5:${HEX.slice(32)}`,
  'sha256:',
  ':',
  `:${HEX}`,
  `sha256-${HEX}`,
  `sha256%3A${HEX}`,
  `sha256%3a${HEX}`,
  `sha256%253A${HEX}`,
  `sha256%C0%BA${HEX}`,
  `sha256::${HEX}`,
  `sha256:${'g'.repeat(64)}`,
  `sha256:${HEX}%00`,
  `sha256:${HEX}%0A`,
  `%20sha256:${HEX}`,
  `sha256:${'%30'.repeat(64)}`,
  `sha256:${'%D9%A3'.repeat(64)}`,
  `sha256+b64u:${HEX}`,
  `sha256:${'0'.repeat(64)}`,
  `sha256:${HEX}/..`,
  `sha256:${'a'.repeat(3000)}`,
  `"${ABSENT}"`,
  '__proto__',
  'constructor',
];

export function someDigest(random: SeededRandom, scene: Scene): string {
  if (random.isIn(50)) return random.pick(STRANGE_DIGESTS);
  return random.pick([...scene.blobs, ...scene.images, scene.index, scene.signature]).digest;
}
