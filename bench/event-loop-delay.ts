/** Delays of an event loop since the last time that they were asked for, in ms. */
export interface EventLoopDelay {
  readonly p99: number;
  readonly max: number;
}

/**
 * Reads what prom-client's default metrics say about the thread that serves them. Reading resets them. They come from
 * a timer of 10 ms, so that an idle loop shows 10 to 11 ms: the delay is what lies above.
 */
export async function readEventLoopDelay(managementUrl: string): Promise<EventLoopDelay> {
  const answer = await fetch(`${managementUrl}/metrics`);
  if (!answer.ok) throw new Error(`/metrics was answered with ${answer.status}`);
  const text = await answer.text();
  return {
    p99: readMetric(text, 'nodejs_eventloop_lag_p99_seconds') * 1000,
    max: readMetric(text, 'nodejs_eventloop_lag_max_seconds') * 1000,
  };
}

function readMetric(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  if (!line) throw new Error(`no metric ${name}`);
  return Number(line.slice(name.length + 1));
}
