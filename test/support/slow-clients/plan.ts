/** What the process of slow clients is to do; its argument, as JSON. */
export interface SlowClientsPlan {
  readonly url: string;
  readonly repository: string;
  /** The bytes of the blob that is read, and the bytes that uploads take their own from. */
  readonly contentFile: string;
  readonly digest: string;
  readonly seconds: number;
  readonly readers: number;
  readonly readBytesPerSecond: number;
  readonly uploaders: number;
  readonly sendBytesPerSecond: number;
  /** Clients that send a byte of a request's head a second, and come back when they are cut. */
  readonly headSenders: number;
}

/** One reader, or one uploader. */
export interface TransferReport {
  /** Undefined: all bytes arrived, and are right. */
  readonly failure: string | undefined;
  /** Of them, those of the slow time. */
  readonly slowBytes: number;
  readonly verifiedBytes: number;
}

/** One connection whose request's head is never complete. */
export interface HeadReport {
  readonly wasCut: boolean;
  /** The status line, where there was an answer. */
  readonly answer: string | undefined;
  readonly seconds: number;
}

/** What became of them; the last line of the process's output, as JSON. */
export interface SlowClientsReport {
  readonly readers: readonly TransferReport[];
  readonly uploaders: readonly TransferReport[];
  readonly heads: readonly HeadReport[];
}
