import { parseArgs } from 'node:util';

/** The command line's options, or their defaults. */
export interface Options<Name extends string> {
  text(name: Name): string;
  /** @throws unless the option is a whole number from 1 to a million. */
  count(name: Name): number;
  /** @throws unless the option is one of the values. */
  choice<Value extends string>(name: Name, values: readonly Value[]): Value;
}

/** Reads `--name value`; other options and arguments are errors. */
export function readOptions<Name extends string>(
  defaults: Readonly<Record<Name, string>>,
): Options<Name> {
  const names = Object.keys(defaults).map((name) => [name, { type: 'string' as const }]);
  const { values }: { values: Readonly<Record<string, unknown>> } = parseArgs({
    options: Object.fromEntries(names),
  });
  const text = (name: Name): string => {
    const given = values[name];
    return typeof given === 'string' ? given : defaults[name];
  };
  return {
    text,
    count(name) {
      const value = Number(text(name));
      if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value;
      throw new Error(`--${name} must be a whole number from 1 on; it is "${text(name)}"`);
    },
    choice(name, allowed) {
      const value = allowed.find((candidate) => candidate === text(name));
      if (value) return value;
      throw new Error(`--${name} must be one of ${allowed.join(', ')}; it is "${text(name)}"`);
    },
  };
}
