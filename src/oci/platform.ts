import { z } from 'zod';

/** What an image runs on (OCI image-spec, image-index.md and config.md). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

const platformSchema = z.object({
  os: z.string().min(1),
  architecture: z.string().min(1),
  variant: z.string().min(1).optional(),
});

const indexSchema = z.object({
  manifests: z.array(z.object({ platform: z.unknown() })),
});

/** The platforms that an index names, each once; what it lists besides images (attestations) says unknown. */
export function platformsOfIndex(bytes: Uint8Array): Platform[] {
  const index = indexSchema.safeParse(parseJson(bytes));
  const platforms = new Map<string, Platform>();
  for (const { platform } of index.data?.manifests ?? []) {
    const { data } = platformSchema.safeParse(platform);
    if (data && data.os !== 'unknown') platforms.set(JSON.stringify(data), data);
  }
  return [...platforms.values()];
}

/** The platform that an image's config names; undefined: it is the config of something else. */
export function platformOfConfig(bytes: Uint8Array): Platform | undefined {
  return platformSchema.safeParse(parseJson(bytes)).data;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
