/** What one run of a work gave. */
export interface Figure {
  /** In the work's unit. */
  readonly value: number;
  /** The server's, of all its threads: per GiB of layers, or per thousand requests. */
  readonly cpuSeconds: number;
}

/** CPU: seconds of the server's per thousand requests, where the clients are slower than the server. */
export type Unit = 'MB/s' | 'requests/s' | 'CPU s' | 'images/s';

/** Whether more is better. */
export function isSpeed(unit: Unit): boolean {
  return unit !== 'CPU s';
}

export interface Measured {
  readonly work: string;
  readonly unit: Unit;
  readonly ours: readonly Figure[];
  readonly peer: readonly Figure[];
  /** Of ours as a multiple of the peer's: at least, or of CPU at most. */
  readonly target: number | undefined;
}
