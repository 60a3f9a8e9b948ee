import { z } from 'zod';

export interface Setting<T> {
  /** Reads the variable's text. Its error messages complete the sentence "NAME must be …". */
  readonly schema: z.ZodType<T, string>;
  /** Text used when the variable is unset. Undefined: the setting is then undefined. */
  readonly fallback: string | undefined;
  readonly description: string;
  /** What the table shows as default, where `fallback` depends on the machine. */
  readonly shownDefault?: string;
}

/** Digits alone. */
export function integer(min: number, max: number): z.ZodType<number, string> {
  const rule = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, rule)
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
}

export const boolean = z
  .enum(['true', 'false'], 'true or false')
  .transform((text) => text === 'true');
export const text = z.string().min(1, 'a text that is not empty');
/** Where another service is. Credentials have settings of their own. */
export const serviceUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'a URL, as in https://identity.example.org/path',
  )
  .transform((value) => new URL(value))
  .refine(
    ({ username, password, hash }) => username === '' && password === '' && hash === '',
    'a URL without user, password and fragment',
  );
/** Where a service is that speaks as one of AWS. */
export const endpointUrl = z.string().refine((url) => {
  const { protocol, search, hash, username, password } = URL.canParse(url) ? new URL(url) : {};
  const isBare = search === '' && hash === '' && username === '' && password === '';
  return isBare && (protocol === 'http:' || protocol === 'https:');
}, 'a URL that begins with http:// or https://, without credentials and query');
/** Widens the type of a setting that has no default. */
export function orUnset<T>(value: T): T | undefined {
  return value;
}

export function setting<T>(
  schema: z.ZodType<T, string>,
  fallback: string | undefined,
  description: string,
  shownDefault?: string,
): Setting<T> {
  return { schema, fallback, description, ...(shownDefault ? { shownDefault } : {}) };
}
