/** The embedded PostgreSQL can't be used. The message is one or more sentences that say what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/** Another process owns the database. */
export class DatabaseInUse extends EmbeddedPostgresError {}

/** What a user can always do instead; ends a message. */
export const OTHERWISE =
  'set STORAGE_DIRECTORY to another directory or DATABASE_URL to a PostgreSQL of yours.';

/** The `code` of a system error (ENOENT) or of PostgreSQL (SQLSTATE). */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || String(codeOf(error)) : String(error);
}
