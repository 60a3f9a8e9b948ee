/** A dependency without which the registry can't serve. @throws Error that says what is wrong */
export type HealthCheck = () => Promise<unknown>;

export interface DependencyState {
  readonly status: 'ok' | 'down' | 'unknown';
  /** Since when it has been so, ISO 8601. */
  readonly since?: string;
  readonly reason?: string;
}

export interface HealthReport {
  readonly status: 'ok' | 'starting' | 'draining' | 'down';
  readonly dependencies: Readonly<Record<string, DependencyState>>;
}

export interface HealthOptions {
  /** Asked, by the name of the dependency. */
  readonly checks: Readonly<Record<string, HealthCheck>>;
  readonly timeoutMs?: number;
  /** Whoever asks within this time gets the same answer. */
  readonly maxAgeMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Checks of one dependency that hang at the same time. */
const MAX_HANGING = 4;

/** Whether the registry can serve, and what it lacks. Its checks are bounded, however many ask. */
export class Health {
  readonly #dependencies: readonly Dependency[];
  /** Known by what was asked of them anyhow; without them the registry serves what it can. */
  readonly #seen = new Map<string, DependencyState>();
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  #phase: 'starting' | 'ok' | 'draining' = 'starting';
  #asked: { readonly atMs: number; readonly states: Promise<void> } | undefined;

  constructor({ checks, timeoutMs = 2000, maxAgeMs = 1000, now = Date.now }: HealthOptions) {
    this.#dependencies = Object.entries(checks).map(
      ([name, check]) => new Dependency(name, check, timeoutMs, now),
    );
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  enter(phase: 'ok' | 'draining'): void {
    this.#phase = phase;
    // What was found before may be what the start waited for.
    this.#asked = undefined;
  }

  /** A dependency that isn't asked by checks was asked something. */
  saw(name: string, isAnswered: boolean, reason?: string): void {
    const status = isAnswered ? 'ok' : 'down';
    const before = this.#seen.get(name);
    const since = before?.status === status ? before.since : undefined;
    this.#seen.set(name, {
      status,
      since: since ?? new Date(this.#now()).toISOString(),
      ...(reason !== undefined && { reason }),
    });
  }

  /** A dependency that isn't asked by checks, and wasn't asked anything yet. */
  expect(name: string): void {
    this.#seen.set(name, { status: 'unknown' });
  }

  async report(): Promise<HealthReport> {
    await this.#check();
    const states = this.#dependencies.map(({ name, state }) => [name, state] as const);
    const isDown = states.some(([, { status }]) => status !== 'ok');
    return {
      status: this.#phase === 'ok' && isDown ? 'down' : this.#phase,
      dependencies: Object.fromEntries([...states, ...this.#seen]),
    };
  }

  #check(): Promise<void> {
    const nowMs = this.#now();
    if (!this.#asked || nowMs - this.#asked.atMs >= this.#maxAgeMs) {
      const states = Promise.all(this.#dependencies.map((one) => one.check()));
      this.#asked = { atMs: nowMs, states: states.then(() => undefined) };
    }
    return this.#asked.states;
  }
}

class Dependency {
  readonly name: string;
  state: DependencyState = { status: 'unknown' };
  readonly #check: HealthCheck;
  readonly #timeoutMs: number;
  readonly #now: () => number;
  #hanging = 0;

  constructor(name: string, check: HealthCheck, timeoutMs: number, now: () => number) {
    this.name = name;
    this.#check = check;
    this.#timeoutMs = timeoutMs;
    this.#now = now;
  }

  async check(): Promise<void> {
    const reason = await this.#ask();
    const status = reason === undefined ? 'ok' : 'down';
    const isSame = status === this.state.status && this.state.since !== undefined;
    const since = isSame ? this.state.since : new Date(this.#now()).toISOString();
    this.state = {
      status,
      ...(since !== undefined && { since }),
      ...(reason !== undefined && { reason }),
    };
  }

  /** @returns what is wrong */
  async #ask(): Promise<string | undefined> {
    const late = `no answer within ${this.#timeoutMs} ms`;
    if (this.#hanging >= MAX_HANGING) return late;
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(late), this.#timeoutMs);
    });
    this.#hanging += 1;
    const asked = Promise.resolve()
      .then(this.#check)
      .then(() => undefined, reasonOf)
      .finally(() => {
        this.#hanging -= 1;
      });
    return Promise.race([asked, isLate]).finally(() => clearTimeout(timer));
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
