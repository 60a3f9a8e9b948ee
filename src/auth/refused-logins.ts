import type { Log } from '../log.ts';
import type { RefusalRecords } from '../meta/records/event-records.ts';
import { ANONYMOUS } from '../oci/principal.ts';

const WINDOW_MS = 60_000;
/** Events that one instance writes in a window, whoever tries. */
const MAX_EVENTS = 60;

export interface RefusedLoginsOptions {
  readonly records: Pick<RefusalRecords, 'addLogin'>;
  readonly log: Log;
  readonly maxEvents?: number;
  readonly now?: () => number;
}

/** Tells sinks of credentials that aren't valid, as far as they aren't a flood. */
export class RefusedLogins {
  readonly #options: Required<RefusedLoginsOptions>;
  #since = Number.NEGATIVE_INFINITY;
  #events = 0;
  /** Not told, since the last one that was. */
  #untold = 0;

  constructor(options: RefusedLoginsOptions) {
    this.#options = { maxEvents: MAX_EVENTS, now: () => performance.now(), ...options };
  }

  /**
   * A login is refused also when that can't be written down. Never rejects.
   * @param source the client's address
   * @param why a sentence without any part of the credential
   */
  async tell(source: string, why: string): Promise<void> {
    if (!this.#hasRoom()) {
      this.#untold += 1;
      return;
    }
    const others = this.#untold === 0 ? '' : ` (${this.#untold} others were refused before)`;
    this.#untold = 0;
    const reason = `a login from ${source} was refused${others}: ${why}`;
    const { records, log } = this.#options;
    await records.addLogin({ principal: ANONYMOUS, reason }).catch((error: unknown) => {
      log.warn({ err: error }, 'a refused login could not be told to the sinks');
    });
  }

  #hasRoom(): boolean {
    const { now, maxEvents } = this.#options;
    if (now() - this.#since >= WINDOW_MS) {
      this.#since = now();
      this.#events = 0;
    }
    this.#events += 1;
    return this.#events <= maxEvents;
  }
}
