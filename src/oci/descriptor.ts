import { z } from 'zod';
import { type Digest, parseDigest } from './digest.ts';

export const digestSchema = z.string().transform((text, context): Digest => {
  const digest = parseDigest(text);
  if (digest !== undefined) return digest;
  context.addIssue({ code: 'custom', message: 'is not a sha256 or sha512 digest' });
  return z.NEVER;
});

/** OCI image-spec, descriptor.md. Unknown fields are allowed; the bytes are kept as they came. */
export const descriptorSchema = z.object({
  mediaType: z.string().min(1).max(255),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
