/** So long a slow sender may keep memory that others wait for. */
const TURN_MS = 10_000;

/** Who waits for memory. */
export interface PartWaiter {
  readonly onGrant: () => void;
  /** There won't be any: it isn't waited for any more. */
  readonly onRefusal: (error: Error) => void;
}

interface Waiting extends PartWaiter {
  readonly bytes: number;
}

/**
 * Memory for bytes that a store takes in large parts: `limitBytes` for all appends together. A part's memory is
 * granted as a whole before its first byte is received, so that whoever has begun one can end it; what is short is
 * granted in the order in which it was asked for.
 */
export class PartBudget {
  readonly #limitBytes: number;
  readonly #ungrantedBytes: number;
  #appends = 0;
  readonly #waiting = new Set<Waiting>();
  #grantedBytes = 0;

  /** @param ungrantedBytes what each append may hold beyond its grant */
  constructor(limitBytes: number, ungrantedBytes: number) {
    this.#limitBytes = limitBytes;
    this.#ungrantedBytes = ungrantedBytes;
  }

  /** An append begins. */
  join(): void {
    this.#appends += 1;
  }

  /** It has ended. */
  leave(): void {
    this.#appends -= 1;
    this.#grant();
  }

  get grantedBytes(): number {
    return this.#grantedBytes;
  }

  /** Others wait for memory. */
  get isContended(): boolean {
    return this.#waiting.size > 0;
  }

  /** @returns a function that takes the request back; undefined when it was granted at once. */
  request(bytes: number, waiter: PartWaiter): (() => void) | undefined {
    if (this.#waiting.size === 0 && this.#fits(bytes)) {
      this.#grantedBytes += bytes;
      return undefined;
    }
    const waiting = { bytes, ...waiter };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  give(bytes: number): void {
    this.#grantedBytes -= bytes;
    this.#grant();
  }

  /**
   * The store has failed whoever held memory. Those that wait would fail too, each as much later as the store is
   * waited for: they are told now.
   */
  refuseWaiting(error: Error): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.onRefusal(error);
    }
  }

  #grant(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#grantedBytes += waiting.bytes;
      waiting.onGrant();
    }
  }

  /** One part always fits, however large, and half of the memory is for parts, however many appends there are. */
  #fits(bytes: number): boolean {
    const ungranted = Math.min(this.#appends * this.#ungrantedBytes, this.#limitBytes / 2);
    const total = this.#grantedBytes + bytes + ungranted;
    return this.#grantedBytes === 0 || total <= this.#limitBytes;
  }
}

export interface PartRule {
  readonly partBytes: number;
  /** One append has at most so much at a time, and one part in any case. */
  readonly maxBytes: number;
}

/**
 * One append's share of a PartBudget. A chunk that had been read before its sender was stopped is received without a
 * grant, and counted into the next one.
 */
export class PartCredit {
  readonly #budget: PartBudget;
  readonly #rule: PartRule;
  /** What is still to come; Infinity where that isn't known. */
  #leftBytes: number;
  #roomBytes = 0;
  /** Granted, and not given back. */
  #heldBytes = 0;
  #grantedMs = 0;
  #takeBack: (() => void) | undefined;
  #onGrant: () => void = () => {};
  #onRefusal: (error: Error) => void = () => {};
  #isClosed = false;

  constructor(budget: PartBudget, rule: PartRule, expectedBytes: number | undefined) {
    this.#budget = budget;
    this.#rule = rule;
    this.#leftBytes = expectedBytes ?? Infinity;
    budget.join();
  }

  /** Asks for the first part. Resolves when it is granted. @throws what it was refused with */
  async begin(): Promise<void> {
    if (this.ask()) return;
    await new Promise<void>((resolve, reject) => {
      this.#onGrant = resolve;
      this.#onRefusal = reject;
    });
  }

  /** `onGrant` is called when more may be received after `ask` said no, `onRefusal` when it never may. */
  listen(onGrant: () => void, onRefusal: (error: Error) => void): void {
    this.#onGrant = onGrant;
    this.#onRefusal = onRefusal;
  }

  receive(bytes: number): void {
    this.#roomBytes -= bytes;
    this.#leftBytes -= bytes;
  }

  /** The store has them. */
  spend(bytes: number): void {
    this.#give(Math.min(bytes, this.#heldBytes));
  }

  /** Whether more may be received now; if not, it is asked for where that is possible. */
  ask(): boolean {
    // A body that is longer than announced is refused for its next chunk.
    if (this.#roomBytes > 0 || this.#leftBytes <= 0) return true;
    if (this.#takeBack || this.#isClosed) return false;
    const { partBytes, maxBytes } = this.#rule;
    const bytes = Math.min(partBytes, this.#leftBytes - this.#roomBytes);
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > maxBytes) return false;
    this.#takeBack = this.#budget.request(bytes, {
      onGrant: () => {
        this.#takeBack = undefined;
        this.#granted(bytes);
        this.#onGrant();
      },
      onRefusal: (error) => this.#onRefusal(error),
    });
    if (!this.#takeBack) this.#granted(bytes);
    return this.#roomBytes > 0;
  }

  /** Others wait, and this one has had its part for long. */
  get isOverdue(): boolean {
    const isHolding = this.#roomBytes > 0 && Date.now() - this.#grantedMs > TURN_MS;
    return isHolding && this.#budget.isContended;
  }

  /** Gives back what was granted and not received. */
  yield(): void {
    if (this.#roomBytes <= 0) return;
    const room = this.#roomBytes;
    this.#roomBytes = 0;
    this.#give(room);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#takeBack?.();
    this.#takeBack = undefined;
    this.#give(this.#heldBytes);
    this.#budget.leave();
  }

  #granted(bytes: number): void {
    this.#heldBytes += bytes;
    this.#roomBytes += bytes;
    this.#grantedMs = Date.now();
  }

  #give(bytes: number): void {
    this.#heldBytes -= bytes;
    if (bytes > 0) this.#budget.give(bytes);
  }
}
