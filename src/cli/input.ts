import { UsageError } from './errors.ts';

/** The arguments and options of a command, as they were given. */
export class Input {
  readonly #operands: readonly string[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(operands: readonly string[], options: Readonly<Record<string, unknown>>) {
    this.#operands = operands;
    this.#options = options;
  }

  /** A required argument: commander has refused the command line without it. */
  operand(index: number): string {
    const operand = this.#operands[index];
    if (operand === undefined) throw new Error(`no argument ${index}`);
    return operand;
  }

  optionalOperand(index: number): string | undefined {
    return this.#operands[index];
  }

  /** The arguments from the index on. */
  operandsFrom(index: number): readonly string[] {
    return this.#operands.slice(index);
  }

  /** @param name in camel case, as commander has it: `dryRun` of `--dry-run` */
  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === 'string' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }

  /** Of an option that may be given several times. */
  texts(name: string): readonly string[] {
    const value = this.#options[name];
    return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
  }

  /** @throws UsageError when it isn't a whole number from `min` on */
  count(name: string, min = 1): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (count >= min) return count;
    throw new UsageError(`--${name} must be a whole number from ${min} on, not ${text}.`);
  }
}
