import type { ScmSources } from '../metadata-store.ts';

/** Nothing is known of any image's source: takes the place of what will find them. */
export const NO_SCM_SOURCES: ScmSources = { find: () => Promise.resolve(undefined) };
