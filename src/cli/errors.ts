/** The exit codes of the command; docs/cli.md has the table. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notLoggedIn: 3,
  refused: 4,
  unavailable: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each of them means, in the words of the help. */
export const EXIT_MEANINGS: Readonly<Record<ExitCode, string>> = {
  [EXIT.done]: 'done',
  [EXIT.failed]: 'failed, or what was asked for does not exist',
  [EXIT.usage]: 'wrong usage or settings, or no such team or artifact',
  [EXIT.notLoggedIn]: 'not logged in: no token, or one that the registry does not accept',
  [EXIT.refused]: 'refused: the token is good, and does not allow this',
  [EXIT.unavailable]: 'the registry could not be reached, or failed',
};

/** What the user is told: one sentence that says what to do next. */
export class CliError extends Error {
  override readonly name: string = 'CliError';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export class UsageError extends CliError {
  override readonly name = 'UsageError';

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, EXIT.usage, options);
  }
}

/** No answer came: no connection, no trust in the certificate, or too late. */
export class ConnectionError extends CliError {
  override readonly name = 'ConnectionError';

  constructor(message: string, options: ErrorOptions = {}) {
    super(message, EXIT.unavailable, options);
  }
}

/** The registry answered with a status of 400 or more. */
export class HttpError extends CliError {
  override readonly name = 'HttpError';
  readonly status: number;
  /** What the registry said, where it said something that can be read. */
  readonly detail: string | undefined;

  constructor(message: string, status: number, detail: string | undefined) {
    super(message, exitCodeOf(status));
    this.status = status;
    this.detail = detail;
  }
}

/** What others say, to be put into a sentence. */
export function withoutStop(text: string): string {
  return text.replace(/\.\s*$/, '');
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): error is HttpError {
  return error instanceof HttpError && statuses.includes(error.status);
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401) return EXIT.notLoggedIn;
  if (status === 403) return EXIT.refused;
  return status >= 500 || status === 429 ? EXIT.unavailable : EXIT.failed;
}
