import type { CommandContext } from '../context.ts';

/** Ends well, as the original's does: pipelines that still ask must not break. */
export async function run(context: CommandContext): Promise<void> {
  context.note(
    'pierone: cves is deprecated and lists nothing, since Clair was shut down: scan images with a scanner of yours.',
  );
}
