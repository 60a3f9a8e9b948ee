import { connect, type Socket } from 'node:net';
import { requestHead } from '../raw-http.ts';
import type { TransferReport } from './plan.ts';

const FULL_SPEED_STEP_BYTES = 256 * 1024;

/** What a reader expects, and at what pace it reads. */
export interface SlowReading {
  readonly port: number;
  readonly target: string;
  readonly content: Buffer;
  readonly bytesPerSecond: number;
  readonly seconds: number;
}

/** GETs `content` slowly, then the rest of it at full speed, and compares every byte. Never rejects. */
export function readSlowly(reading: SlowReading): Promise<TransferReport> {
  return new Promise((resolve) => void new SlowReader(reading, resolve));
}

/** One read of the socket a second; what the kernel takes ahead of that can't be helped. */
class SlowReader {
  readonly #content: Buffer;
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  readonly #report: (report: TransferReport) => void;
  #secondsLeft: number;
  #step: Buffer;
  #head: Buffer | undefined = Buffer.alloc(0);
  #slowBytes = 0;
  #verifiedBytes = 0;
  #failure: string | undefined;

  constructor(reading: SlowReading, report: (report: TransferReport) => void) {
    this.#content = reading.content;
    this.#report = report;
    this.#secondsLeft = reading.seconds;
    this.#step = Buffer.allocUnsafe(reading.bytesPerSecond);
    this.#socket = connect({
      port: reading.port,
      host: '127.0.0.1',
      onread: {
        buffer: () => this.#step,
        callback: (length, buffer) =>
          this.#onRead(Buffer.from(buffer.buffer, buffer.byteOffset, length)),
      },
    });
    // To be cut shows in what is missing.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => this.#onClose());
    this.#socket.write(requestHead('GET', reading.target));
    this.#timer = setInterval(() => this.#tick(), 1000);
  }

  #tick(): void {
    this.#secondsLeft -= 1;
    if (this.#secondsLeft === 0) {
      clearInterval(this.#timer);
      this.#slowBytes = this.#verifiedBytes;
      this.#step = Buffer.allocUnsafe(FULL_SPEED_STEP_BYTES);
    }
    this.#socket.resume();
  }

  /** @returns whether to read on at once. */
  #onRead(bytes: Buffer): boolean {
    if (this.#head) this.#takeHead(Buffer.concat([this.#head, bytes]));
    else this.#compare(bytes);
    if (this.#failure !== undefined || this.#verifiedBytes === this.#content.length) {
      this.#socket.destroy();
    }
    return this.#secondsLeft <= 0;
  }

  #takeHead(bytes: Buffer): void {
    const end = bytes.indexOf('\r\n\r\n');
    this.#head = bytes;
    if (end < 0) return;
    this.#head = undefined;
    const head = bytes.toString('latin1', 0, end);
    const isWhole = head.includes(`ontent-Length: ${this.#content.length}`);
    if (head.startsWith('HTTP/1.1 200 ') && isWhole) this.#compare(bytes.subarray(end + 4));
    else this.#fail(`answered with ${head}`);
  }

  #compare(bytes: Buffer): void {
    const begin = this.#verifiedBytes;
    if (bytes.equals(this.#content.subarray(begin, begin + bytes.length))) {
      this.#verifiedBytes += bytes.length;
    } else this.#fail(`wrong bytes between ${begin} and ${begin + bytes.length}`);
  }

  #fail(why: string): void {
    this.#failure ??= why;
  }

  #onClose(): void {
    clearInterval(this.#timer);
    if (this.#verifiedBytes < this.#content.length) {
      this.#fail(
        `cut after ${this.#verifiedBytes} bytes, ${this.#secondsLeft} s before full speed`,
      );
    }
    this.#report({
      failure: this.#failure,
      slowBytes: this.#slowBytes,
      verifiedBytes: this.#verifiedBytes,
    });
  }
}
