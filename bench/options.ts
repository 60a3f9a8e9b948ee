import { parseArgs } from 'node:util';

/** The command line's options, or their defaults. */
export interface Options<Name extends string> {
  text(name: Name): string;
  /** @throws unless the option is a whole number from 1 to a million. */
  count(name: Name): number;
  /** @throws unless the option is one of the values. */
  choice<Value extends string>(name: Name, values: readonly Value[]): Value;
  /** @throws unless the option is some of the values, with commas between them. */
  list<Value extends string>(name: Name, values: readonly Value[]): Value[];
}

/** Reads `--name value`; other options and arguments are errors. `--help` lists them, and ends. */
export function readOptions<Name extends string>(
  defaults: Readonly<Record<Name, string>>,
): Options<Name> {
  const names = Object.keys(defaults).map((name) => [name, { type: 'string' as const }]);
  const { values }: { values: Readonly<Record<string, unknown>> } = parseArgs({
    options: { ...Object.fromEntries(names), help: { type: 'boolean', short: 'h' } },
  });
  if (values['help'] === true) {
    console.log('Options, each with what it is unless given:');
    for (const [name, value] of Object.entries<string>(defaults))
      console.log(`  --${name} ${value}`);
    process.exit();
  }
  const text = (name: Name): string => {
    const given = values[name];
    return typeof given === 'string' ? given : defaults[name];
  };
  const choose = <Value extends string>(name: Name, given: string, allowed: readonly Value[]) => {
    const value = allowed.find((candidate) => candidate === given);
    if (value !== undefined) return value;
    throw new Error(`--${name} takes ${allowed.join(', ')}; "${given}" is none`);
  };
  return {
    text,
    count(name) {
      const value = Number(text(name));
      if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value;
      throw new Error(`--${name} must be a whole number from 1 on; it is "${text(name)}"`);
    },
    choice: (name, allowed) => choose(name, text(name), allowed),
    list: (name, allowed) =>
      text(name)
        .split(',')
        .map((given) => choose(name, given, allowed)),
  };
}
