import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** A GET of a range of an object. */
export interface ScriptedRequest {
  /** As it came. */
  readonly head: string;
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** The SDK signs in a header, a URL is signed in its query. */
  readonly isBySdk: boolean;
  /** On its connection, from 1. */
  readonly turn: number;
}

/** Writes an answer, or what goes for one. */
export type Script = (socket: Socket, request: ScriptedRequest) => unknown;

export function writeAnswer(
  socket: Socket,
  head: readonly string[],
  body: string | Uint8Array = '',
): void {
  socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.from(body)]));
}

/** An error, as S3 says it. */
export function refusal(status: string, code: string): Script {
  const body = `<Error><Code>${code}</Code><Message>no ${code}</Message></Error>`;
  const head = [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`];
  return (socket) => writeAnswer(socket, head, body);
}

/** A server whose every byte the test decides about. */
export interface ScriptedS3 {
  readonly endpoint: string;
  readonly requests: readonly ScriptedRequest[];
  /** Of all times. */
  countConnections(): number;
  countOpenConnections(): number;
  /** Ends them in good order. */
  endConnections(): void;
  /** The nth request is answered by the nth script, all later ones by the last. */
  answerWith(...scripts: readonly Script[]): void;
  close(): Promise<void>;
}

export async function startScriptedS3(): Promise<ScriptedS3> {
  const requests: ScriptedRequest[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  let scripts: readonly Script[] = [];
  let next = 0;
  const server = createServer((socket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // Those who break connections are tested here.
    socket.on('error', () => undefined);
    socket.setNoDelay(true);
    let text = '';
    let turn = 0;
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      turn += 1;
      const request = readRequest(text.slice(0, end), turn);
      text = text.slice(end + 4);
      requests.push(request);
      const script = scripts[Math.min(next, scripts.length - 1)];
      next += 1;
      script?.(socket, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    countConnections: () => connections,
    countOpenConnections: () => open.size,
    endConnections: () => {
      for (const socket of open) socket.end();
    },
    answerWith: (...all) => {
      scripts = all;
      next = 0;
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function readRequest(head: string, turn: number): ScriptedRequest {
  const [, start, last] = /^range: *bytes=(\d+)-(\d+)$/im.exec(head) ?? [];
  return {
    head,
    start: Number(start),
    end: Number(last) + 1,
    isBySdk: /^authorization:/im.test(head),
    turn,
  };
}
