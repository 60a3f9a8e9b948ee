import { setTimeout as delay } from 'node:timers/promises';
import type { ScmSourceRecords } from '../meta/records/scm-source-records.ts';
import type { FoundScmSource } from '../oci/scm-source.ts';
import type { CreatedTag } from './created-tag.ts';

/** Most layers are looked into within a second or two; a delivery waits for no longer than this. */
const WAIT_MS = 10_000;
const PAUSE_MS = 250;

/** Says where the image of an event comes from; the same whenever it is asked. */
export interface EventSources {
  /** Waits until all layers are looked into, or until 10 s after the event. Undefined: no source was found by then. */
  of(event: CreatedTag, signal: AbortSignal): Promise<FoundScmSource | undefined>;
}

/** Sources that are found in time, by the database's clock, so that all instances say the same. */
export class TimelyEventSources implements EventSources {
  readonly #records: Pick<ScmSourceRecords, 'foundInTime'>;

  constructor(records: Pick<ScmSourceRecords, 'foundInTime'>) {
    this.#records = records;
  }

  async of(event: CreatedTag, signal: AbortSignal): Promise<FoundScmSource | undefined> {
    const { repository, tag, digest, happened } = event;
    if (digest === undefined) return undefined;
    const until = new Date(happened.getTime() + WAIT_MS);
    for (;;) {
      const found = await this.#records.foundInTime(repository, tag, digest, until);
      if (found.isDecided) return found.source;
      await delay(PAUSE_MS, undefined, { signal });
    }
  }
}
