import { z } from 'zod';
import { type Digest, parseDigest } from './digest.ts';

export const digestSchema = z.string().transform((text, context): Digest => {
  const digest = parseDigest(text);
  if (digest !== undefined) return digest;
  context.addIssue({ code: 'custom', message: 'is not a sha256 or sha512 digest' });
  return z.NEVER;
});

/** RFC 6838, section 4.2 allows less; unusual types are kept, as long as they are text. */
export const mediaTypeSchema = z
  .string()
  .max(255)
  .regex(/^[ -~]*$/, 'is no media type');

/*
 * A manifest has megabytes, and a schema that lists every mistake in it takes seconds: what follows stops at the
 * first one.
 */

function isStringRecord(value: object): value is Readonly<Record<string, string>> {
  return Object.values(value).every((text) => typeof text === 'string');
}

export const annotationsSchema = z.unknown().transform((value, context) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: 'must be an object of strings' });
    return z.NEVER;
  }
  if (isStringRecord(value)) return value;
  const wrong = Object.entries(value).find(([, text]) => typeof text !== 'string');
  context.addIssue({ code: 'custom', path: [wrong?.[0] ?? ''], message: 'must be a string' });
  return z.NEVER;
});

/** OCI image-spec, descriptor.md. Unknown fields are allowed; the bytes are kept as they came. */
export const descriptorSchema = z.object({
  mediaType: mediaTypeSchema.min(1),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  artifactType: mediaTypeSchema.optional(),
  annotations: annotationsSchema.nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;

export const descriptorsSchema = z.unknown().transform((value, context): Descriptor[] => {
  const descriptors: Descriptor[] = [];
  const refuse = (path: PropertyKey[], message: string) => {
    context.addIssue({ code: 'custom', path, message });
    return z.NEVER;
  };
  if (!Array.isArray(value)) return refuse([], 'must be a list of descriptors');
  for (const [index, item] of value.entries()) {
    const result = descriptorSchema.safeParse(item);
    if (!result.success) {
      const issue = result.error.issues[0];
      return refuse([index, ...(issue?.path ?? [])], issue?.message ?? 'has the wrong shape');
    }
    descriptors.push(result.data);
  }
  return descriptors;
});
