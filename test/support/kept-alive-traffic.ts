import { randomBytes } from 'node:crypto';
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type HttpAnswer, HttpClient } from './http-client.ts';
import { OCI_MANIFEST, type Sample, sampleOf } from './sample-content.ts';

const LAYER_BYTES = 16 * 1024;
/** The kinds of requests, each in its turn. */
const TURNS = 6;
/** Not a divisor: each burst begins with another kind, and the first request is the one that a pause endangers. */
export const REQUESTS_A_BURST = 5;

/** What goes through the connections of one group. */
export interface BurstPlan {
  readonly url: string;
  readonly repository: string;
  /** In the repository, under this tag. */
  readonly manifest: Sample;
  readonly tag: string;
  readonly clients: number;
  readonly bursts: number;
  readonly pauseMs: number;
}

/** How often each request was answered with which status, as in `PATCH 202`. */
export type Totals = Map<string, number>;

/** What was not as it should be, with the pause before it. */
export type Failures = string[];

/**
 * Clients that send their requests at the same time, so that each needs a connection of its own behind the proxy,
 * and then leave all of these idle for the pause.
 * @param openAgent makes the agent of one client, which keeps its connection
 */
export async function runBursts(
  plan: BurstPlan,
  openAgent: () => Agent,
  totals: Totals,
  failures: Failures,
): Promise<void> {
  const agents = Array.from({ length: plan.clients }, openAgent);
  const clients = agents.map((agent, n) => new BurstClient(plan, agent, n, totals, failures));
  for (let burst = 0; burst < plan.bursts; burst += 1) {
    if (burst > 0) await delay(plan.pauseMs);
    await Promise.all(clients.map((client) => client.burst()));
  }
  for (const agent of agents) agent.destroy();
}

/** Pushes and pulls one layer after the other, and pulls the manifest. */
class BurstClient {
  readonly #plan: BurstPlan;
  readonly #api: HttpClient;
  readonly #totals: Totals;
  readonly #failures: Failures;
  #next: number;
  #layer: Sample = sampleOf(randomBytes(LAYER_BYTES));
  /** Of the upload that is under way. */
  #location: string | undefined;
  /** The layer that was pushed last. */
  #pushed: Sample | undefined;

  constructor(plan: BurstPlan, agent: Agent, n: number, totals: Totals, failures: Failures) {
    this.#plan = plan;
    this.#api = new HttpClient(plan.url, agent);
    this.#next = n;
    this.#totals = totals;
    this.#failures = failures;
  }

  async burst(): Promise<void> {
    for (let n = 0; n < REQUESTS_A_BURST; n += 1) {
      await this.#request().catch((error: unknown) => this.#fail(String(error), n));
      this.#next += 1;
    }
  }

  /** The next one; those that need what an earlier one failed to make begin anew. */
  #request(): Promise<void> {
    const { repository, manifest, tag } = this.#plan;
    const blobs = `/v2/${repository}/blobs`;
    const turn = this.#next % TURNS;
    if (turn === 0) return this.#start(`${blobs}/uploads/`);
    if (turn === 1 && this.#location !== undefined) return this.#append(this.#location);
    if (turn === 2 && this.#location !== undefined) return this.#finish(this.#location);
    if (turn === 3 && this.#pushed) return this.#head(`${blobs}/${this.#pushed.digest}`);
    if (turn === 4 && this.#pushed)
      return this.#get(`${blobs}/${this.#pushed.digest}`, this.#pushed);
    return this.#get(`/v2/${repository}/manifests/${tag}`, manifest);
  }

  async #start(path: string): Promise<void> {
    this.#location = undefined;
    this.#layer = sampleOf(randomBytes(LAYER_BYTES));
    const { headers } = await this.#send('POST', path, 202);
    this.#location = headers['location'];
  }

  async #append(location: string): Promise<void> {
    const body = this.#layer.bytes;
    await this.#send('PATCH', location, 202, { body, isChunked: true });
  }

  async #finish(location: string): Promise<void> {
    this.#location = undefined;
    const { digest } = this.#layer;
    await this.#send('PUT', `${location}?digest=${digest}`, 201);
    this.#pushed = this.#layer;
  }

  async #head(path: string): Promise<void> {
    await this.#send('HEAD', path, 200);
  }

  async #get(path: string, content: Sample): Promise<void> {
    const { body } = await this.#send('GET', path, 200, { headers: { Accept: OCI_MANIFEST } });
    if (!body.equals(content.bytes)) throw new Error(`GET ${path} gave other bytes`);
  }

  async #send(
    method: string,
    path: string,
    status: number,
    options: Parameters<HttpClient['send']>[2] = {},
  ): Promise<HttpAnswer> {
    const answer = await this.#api.send(method, path, options);
    const key = `${method} ${answer.status}`;
    this.#totals.set(key, (this.#totals.get(key) ?? 0) + 1);
    if (answer.status === status) return answer;
    throw new Error(`${method} ${path}: ${answer.status} instead of ${status}`);
  }

  #fail(why: string, n: number): void {
    const pause = `${this.#plan.pauseMs / 1000} s`;
    this.#failures.push(`request ${n + 1} after a pause of ${pause}: ${why}`);
  }
}
