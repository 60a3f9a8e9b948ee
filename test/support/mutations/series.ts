import { RawClient } from '../raw-http.ts';
import { SeededRandom } from '../seeded-random.ts';
import { faultOf, isOfRegistry, readAnswer, type WireAnswer } from './answers.ts';
import { lastBytes, mutatedRequest } from './mutate.ts';
import type { Scene } from './scene.ts';
import type { WireBytes } from './wire-request.ts';

export interface Series {
  readonly port: number;
  readonly scene: Scene;
  readonly seed: number;
  /** Requests to be sent, in all. */
  readonly count: number;
  /** Most mutations of a request. */
  readonly depth: number;
}

export interface Outcome {
  readonly requests: number;
  /** How many answers had which status; those of a parser apart. */
  readonly answers: ReadonlyMap<string, number>;
  /** Where a 201 said that something is now. */
  readonly created: ReadonlySet<string>;
  /** Each with what is needed to repeat it. */
  readonly failures: readonly string[];
}

const CONNECTIONS = 32;
const MAX_FAILURES = 10;
const MAX_BATCH = 20;
/** What comes at once, so that no request line is torn. */
const MAX_PIPELINE_BYTES = 32 * 1024;
/** A hang shows as a failure that names the request, long before the test's own time-out. */
const ANSWER_TIMEOUT_MS = 30_000;
const MAX_PATIENCE_MS = 40;
const MAX_SHOWN_BYTES = 4000;
const PRIME = 1_000_003;

/**
 * Sends a series over a bounded number of connections. What a batch has depends on the seed and its number alone, but
 * for the ids of uploads.
 */
export async function runSeries(
  series: Series,
  onProgress: (requests: number) => void,
): Promise<Outcome> {
  const answers = new Map<string, number>();
  const created = new Set<string>();
  const note = (answer: WireAnswer) => {
    count(answers, answer);
    if (answer.status === 201) created.add(answer.headers.get('location')?.[0] ?? 'nowhere');
  };
  const failures: string[] = [];
  let requests = 0;
  let batches = 0;
  const work = async () => {
    while (requests < series.count && failures.length < MAX_FAILURES) {
      batches += 1;
      const batch = new Batch(series, batches);
      await batch.run(note).catch((error: unknown) => failures.push(batch.describe(error)));
      requests += batch.sent;
      onProgress(requests);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  return { requests, answers, created, failures };
}

function count(answers: Map<string, number>, answer: WireAnswer): void {
  const { status } = answer;
  const key = isOfRegistry(answer) ? `${status}` : `${status} (parser)`;
  answers.set(key, (answers.get(key) ?? 0) + 1);
}

type OnAnswer = (answer: WireAnswer) => void;

/** What one connection sends: requests that have to be answered, and in the end some that needn't be. */
class Batch {
  readonly #series: Series;
  readonly #number: number;
  readonly #random: SeededRandom;
  #shown: WireBytes | undefined;
  #answer: WireAnswer | undefined;
  #isLate = false;
  sent = 0;

  constructor(series: Series, number: number) {
    this.#series = series;
    this.#number = number;
    this.#random = new SeededRandom(series.seed * PRIME + number);
  }

  async run(onAnswer: OnAnswer): Promise<void> {
    const client = await RawClient.open(this.#series.port);
    const timer = setTimeout(() => {
      this.#isLate = true;
      client.destroy();
    }, ANSWER_TIMEOUT_MS);
    try {
      const random = this.#random;
      const length = random.integer(1, MAX_BATCH);
      if (random.isIn(15)) await this.#pipeline(client, length, onAnswer);
      else {
        for (let n = 0; n < length; n += 1) {
          await this.#ask(client, this.#next(), onAnswer);
          timer.refresh();
        }
        if (random.isIn(60)) await this.#end(client, onAnswer);
      }
    } finally {
      clearTimeout(timer);
      client.destroy();
    }
  }

  #next(): WireBytes {
    const { scene, depth } = this.#series;
    return mutatedRequest(this.#random, scene, depth);
  }

  #send(client: RawClient, bytes: WireBytes): void {
    this.sent += 1;
    for (const piece of bytes.pieces) client.send(piece);
  }

  async #ask(client: RawClient, bytes: WireBytes, onAnswer: OnAnswer): Promise<void> {
    this.#shown = bytes;
    this.#answer = undefined;
    this.#send(client, bytes);
    await this.#take(client, bytes, onAnswer);
    if (client.receivedBytes > 0) throw new Error('more came than the answer');
  }

  async #take(client: RawClient, bytes: WireBytes, onAnswer: OnAnswer): Promise<WireAnswer> {
    const answer = await readAnswer(client, bytes.method);
    this.#answer = answer;
    onAnswer(answer);
    this.#learn(answer);
    const fault = faultOf(answer, bytes, this.#series.scene);
    if (fault !== undefined) throw new Error(fault);
    return answer;
  }

  /**
   * All at once. A server may close the connection instead of answering, and a client has to send again what wasn't
   * answered (RFC 9112, section 9.3.2); what is answered comes in order.
   */
  async #pipeline(client: RawClient, length: number, onAnswer: OnAnswer): Promise<void> {
    const all = withinLimit(Array.from({ length }, () => this.#next()));
    for (const bytes of all) this.#send(client, bytes);
    for (const bytes of all) {
      this.#shown = bytes;
      const isTaken = await this.#takeIfAny(client, bytes, onAnswer);
      if (!isTaken) return;
    }
  }

  /** Waits a moment at most, since broken requests may have no end, and goes. */
  async #end(client: RawClient, onAnswer: OnAnswer): Promise<void> {
    const { scene, depth } = this.#series;
    const bytes = lastBytes(this.#random, scene, depth);
    this.#shown = bytes;
    this.#answer = undefined;
    this.#send(client, bytes);
    const patienceMs = this.#random.integer(0, MAX_PATIENCE_MS);
    const goAway = this.#random.isIn(30) ? () => client.reset() : () => client.end();
    const timer = setTimeout(goAway, patienceMs);
    try {
      while (await this.#takeIfAny(client, bytes, onAnswer));
    } finally {
      clearTimeout(timer);
    }
  }

  /** @returns false when the connection ended instead. */
  async #takeIfAny(client: RawClient, bytes: WireBytes, onAnswer: OnAnswer): Promise<boolean> {
    try {
      const answer = await this.#take(client, bytes, onAnswer);
      return !answer.isToEnd;
    } catch (error) {
      if (client.isClosed && !this.#isLate && String(error).includes('closed after')) return false;
      throw error;
    }
  }

  /** New uploads take the place of old ones, so that there are always some that are open. */
  #learn({ status, headers }: WireAnswer): void {
    const [location] = headers.get('location') ?? [];
    const { uploads } = this.#series.scene;
    if (status !== 202 || location === undefined || uploads.includes(location)) return;
    uploads[this.#random.integer(0, uploads.length - 1)] = location;
  }

  describe(error: unknown): string {
    const { seed, depth } = this.#series;
    const answer = this.#answer;
    const head = answer && `${answer.status} ${JSON.stringify([...answer.headers])}`;
    const what = this.#isLate ? 'the server neither answered nor closed' : String(error);
    return [
      `${what}: MUTATIONS_SEED=${seed} MUTATIONS_DEPTH=${depth}, batch ${this.#number}, request ${this.sent}`,
      ...(this.#shown?.pieces ?? []).map((piece) => shown(piece)),
      answer ? `answered by ${head}\n${shown(answer.body)}` : 'not answered',
    ].join('\n');
  }
}

function withinLimit(all: readonly WireBytes[]): readonly WireBytes[] {
  let bytes = 0;
  return all.filter(({ pieces }) => {
    for (const piece of pieces) bytes += piece.length;
    return bytes <= MAX_PIPELINE_BYTES;
  });
}

/** Bytes as a string literal. */
function shown(bytes: Buffer): string {
  const cut = bytes.subarray(0, MAX_SHOWN_BYTES);
  const rest = bytes.length - cut.length;
  return JSON.stringify(cut.toString('latin1')) + (rest > 0 ? ` and ${rest} bytes more` : '');
}
