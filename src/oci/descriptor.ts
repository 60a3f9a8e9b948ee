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

/** OCI image-spec, descriptor.md. Unknown fields are allowed; the bytes are kept as they came. */
export const descriptorSchema = z.object({
  mediaType: mediaTypeSchema.min(1),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  artifactType: mediaTypeSchema.optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
