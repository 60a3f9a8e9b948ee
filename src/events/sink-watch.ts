import type { Log } from '../log.ts';
import type { SinkState } from '../meta/records/outbox-records.ts';
import type { Metrics } from '../metrics.ts';
import type { Deliveries } from './deliveries.ts';

const WATCH_EVERY_MS = 5000;
/** Looking may take a twentieth of the time, however much waits. */
const WATCH_SHARE = 20;
/** Something that waits for so long, while deliveries fail or there are none, is stuck. */
const STUCK_MS = 60_000;

export interface SinkWatchOptions {
  readonly deliveries: Pick<Deliveries, 'sinks'>;
  readonly metrics: Pick<Metrics, 'watchOutbox'>;
  readonly log: Log;
  /** Told of each sink, again and again. @param reason why it is stuck */
  readonly saw: (sink: string, isDelivering: boolean, reason?: string) => void;
}

/** Looks at what waits for sinks from time to time, for metrics and health; so each instance knows it. */
export class SinkWatch {
  readonly #options: SinkWatchOptions;
  #states: readonly SinkState[] = [];
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(options: SinkWatchOptions) {
    this.#options = options;
    options.metrics.watchOutbox(() =>
      this.#states.map(({ sink, pending, oldestAgeMs, parked }) => ({
        sink,
        pending,
        parked,
        oldestSeconds: oldestAgeMs / 1000,
      })),
    );
  }

  start(): void {
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const begin = performance.now();
    try {
      const all = await this.#options.deliveries.sinks();
      this.#states = all.flatMap(({ description, state }) =>
        description === undefined ? [] : [state],
      );
      for (const state of this.#states) {
        const reason = reasonOf(state);
        this.#options.saw(state.sink, reason === undefined, reason);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'what waits for sinks could not be counted');
    }
    if (this.#isStopped) return;
    const tookMs = performance.now() - begin;
    this.#timer = setTimeout(
      () => {
        this.#looking = this.#look();
      },
      Math.max(WATCH_EVERY_MS, WATCH_SHARE * tookMs),
    );
    this.#timer.unref();
  }
}

/** Why it is stuck; undefined: it isn't. */
function reasonOf(state: SinkState): string | undefined {
  const { lastFailure, lastSuccess, oldest, oldestAgeMs, pending, lastError } = state;
  if (oldest === undefined || oldestAgeMs < STUCK_MS) return undefined;
  const isFailing =
    lastFailure !== undefined && (lastSuccess === undefined || lastSuccess <= lastFailure);
  if (isFailing) return `${pending} events wait: ${lastError ?? ''}`;
  // Else it would have been delivered, or failed.
  const isTried = lastSuccess !== undefined && lastSuccess > oldest;
  return isTried ? undefined : `${pending} events wait, and no instance delivers them`;
}
