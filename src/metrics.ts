import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** What the registry counts, in Prometheus' terms. One instance per server; it never leaves the process. */
export interface Metrics {
  readonly uploadedBytes: Counter;
  /** Bytes read back from the store to digest them, since no saved digest covered them. */
  readonly rereadBytes: Counter;
  readonly downloadedBytes: Counter;
  readonly activeAppends: Gauge;
  readonly workerDeaths: Counter;
  /** Prometheus' text format. */
  render(): Promise<{ contentType: string; text: string }>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counter = (name: string, help: string) =>
    new Counter({ name, help, registers: [registry] });
  return {
    uploadedBytes: counter('pierone_uploaded_bytes_total', 'Bytes of layers received from clients'),
    rereadBytes: counter(
      'pierone_reread_bytes_total',
      'Bytes read back from the store to verify a digest',
    ),
    downloadedBytes: counter('pierone_downloaded_bytes_total', 'Bytes of layers sent to clients'),
    activeAppends: new Gauge({
      name: 'pierone_active_appends',
      help: 'Request bodies that are being stored',
      registers: [registry],
    }),
    workerDeaths: counter('pierone_worker_deaths_total', 'Ingest workers that died'),
    async render() {
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
