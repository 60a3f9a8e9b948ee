/** What a check found: one line for an operator. */
export interface Finding {
  /** What was looked at: a setting, or a part of the registry. */
  readonly check: string;
  /** `problem`: the registry would not start, or not serve; `warning`: it would, and somebody should know. */
  readonly status: 'ok' | 'warning' | 'problem';
  /** What there is; of a problem also what to do. */
  readonly message: string;
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message };
}

export function warning(check: string, message: string): Finding {
  return { check, status: 'warning', message };
}

export function problem(check: string, message: string): Finding {
  return { check, status: 'problem', message };
}

/** Of an error that says in its message what to do. */
export function failed(check: string, error: unknown): Finding {
  return problem(check, error instanceof Error ? error.message : String(error));
}
