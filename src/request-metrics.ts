import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** A request that has ended. */
export interface RequestMeasure {
  /** The kind of route, `none` where there is none: few, however many paths there are. */
  readonly route: string;
  readonly method: string;
  /** Undefined: its client was gone before the answer. */
  readonly status: number | undefined;
  readonly ms: number;
  /** Of bodies, as far as they were taken, and sent. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** Of an error. */
  readonly code: string | undefined;
}

/** Requests of one kind. */
interface Series {
  readonly status: number | undefined;
  readonly labels: { readonly route: string; readonly method: string; readonly status: string };
  /** How many took as long as a bound, and longer than the one before. */
  readonly buckets: number[];
  count: number;
  seconds: number;
  receivedBytes: number;
  sentBytes: number;
}

/** A request may be a HEAD that memory answers, or a layer of 100 GiB. */
const BOUNDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600];
/** Methods are what clients write. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Counts requests by itself, and tells prom-client when that is asked: prom-client finds the labels of each observation anew,
 * which takes as long as an answer from memory.
 */
export class RequestMetrics {
  readonly #series = new Map<string, Series>();
  /** That of the request before: the next one is often of the same kind. */
  #last: Series | undefined;
  readonly #errors: Counter;
  #open = 0;

  constructor(registry: Registry) {
    const registers = [registry];
    const open: Gauge = new Gauge({
      name: 'pierone_http_exchanges_open',
      help: 'Requests that are being served',
      registers,
      collect: () => open.set(this.#open),
    });
    registry.registerMetric(new SeriesHistogram(this.#series));
    this.#countBytes('received', 'Bytes of request bodies that were taken', registry);
    this.#countBytes('sent', 'Bytes of answers’ bodies', registry);
    this.#errors = new Counter({
      name: 'pierone_errors_total',
      help: 'Answers with an error, by its code',
      labelNames: ['code'],
      registers,
    });
  }

  requestBegan(): void {
    this.#open += 1;
  }

  requestEnded(measure: RequestMeasure): void {
    this.#open -= 1;
    const { code } = measure;
    const seconds = measure.ms / 1000;
    const series = this.#seriesOf(measure.route, measure.method, measure.status);
    let bucket = 0;
    while (seconds > (BOUNDS[bucket] ?? Infinity)) bucket += 1;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.count += 1;
    series.seconds += seconds;
    series.receivedBytes += measure.receivedBytes;
    series.sentBytes += measure.sentBytes;
    if (code !== undefined) this.#errors.inc({ code });
  }

  #seriesOf(route: string, method: string, status: number | undefined): Series {
    const last = this.#last;
    if (last?.status === status && last?.labels.method === method && last.labels.route === route) {
      return last;
    }
    const shownMethod = METHODS.has(method) ? method : 'other';
    const key = `${route} ${shownMethod} ${status}`;
    let series = this.#series.get(key);
    if (!series) {
      series = newSeries(route, shownMethod, status);
      this.#series.set(key, series);
    }
    this.#last = series;
    return series;
  }

  #countBytes(direction: 'received' | 'sent', help: string, registry: Registry): void {
    const counter: Counter = new Counter({
      name: `pierone_http_${direction}_bytes_total`,
      help,
      labelNames: ['route'],
      registers: [registry],
      collect: () => {
        counter.reset();
        for (const { labels, ...series } of this.#series.values()) {
          const bytes = series[`${direction}Bytes`];
          if (bytes > 0) counter.inc({ route: labels.route }, bytes);
        }
      },
    });
  }
}

function newSeries(route: string, method: string, status: number | undefined): Series {
  const labels = { route, method, status: String(status ?? 'gone') };
  const buckets = BOUNDS.map(() => 0);
  return { status, labels, buckets, count: 0, seconds: 0, receivedBytes: 0, sentBytes: 0 };
}

const DURATION = 'pierone_http_request_duration_seconds';
const DURATION_HELP =
  'From the head of a request to the end of its work; status gone: the client left before the answer';

/** Shows series as prom-client's histograms show what they observed. */
class SeriesHistogram extends Histogram {
  readonly #series: ReadonlyMap<string, Series>;

  constructor(series: ReadonlyMap<string, Series>) {
    super({ name: DURATION, help: DURATION_HELP, buckets: BOUNDS, registers: [] });
    this.#series = series;
  }

  /** What prom-client's `get`, and its registry, take for what was observed; its types don't tell. */
  async getForPromString() {
    const values = [...this.#series.values()].flatMap(valuesOf);
    return { name: DURATION, help: DURATION_HELP, type: 'histogram', aggregator: 'sum', values };
  }
}

function valuesOf({ labels: sharedLabels, buckets, count, seconds }: Series) {
  let below = 0;
  const shown = BOUNDS.map((le, place) => {
    below += buckets[place] ?? 0;
    return {
      metricName: `${DURATION}_bucket`,
      labels: { le: String(le) },
      sharedLabels,
      value: below,
    };
  });
  return [
    ...shown,
    { metricName: `${DURATION}_bucket`, labels: { le: '+Inf' }, sharedLabels, value: count },
    { metricName: `${DURATION}_sum`, labels: {}, sharedLabels, value: seconds },
    { metricName: `${DURATION}_count`, labels: {}, sharedLabels, value: count },
  ];
}
