/** Numbers that look random and are the same in every run (mulberry32), so that a failure can be repeated. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.#fraction() * (max - min + 1));
  }

  /** True in `percent` of all cases. */
  isIn(percent: number): boolean {
    return this.#fraction() * 100 < percent;
  }

  /** @throws RangeError when there is nothing to choose from */
  pick<T>(choices: readonly T[]): T {
    const index = this.integer(0, choices.length - 1);
    for (const choice of choices.slice(index, index + 1)) return choice;
    throw new RangeError('nothing to choose from');
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.#next() & 0xff;
    return bytes;
  }

  /** Cuts bytes into pieces of 1 to `maxBytes`, without copying. */
  *cut(bytes: Uint8Array, maxBytes: number): Generator<Uint8Array, void, undefined> {
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(bytes.length, from + this.integer(1, maxBytes));
      yield bytes.subarray(from, to);
      from = to;
    }
  }

  #fraction(): number {
    return this.#next() / 2 ** 32;
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
}
