import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { forward, listenInWorkspace } from './forwarding.ts';
import type { Workspace } from './workspace.ts';

export interface RecordedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** The request's Range header. */
  readonly range: string | undefined;
  readonly status: number;
}

export interface Cut {
  /** Of the path of the GET to cut. */
  readonly path: RegExp;
  /** Bytes of the answer's body that get through. */
  readonly afterBytes: number;
}

/** Stands between a client and the server, and notes what is asked and how it is answered. */
export interface RecordingProxy {
  /** host:port, as image references want it. */
  readonly host: string;
  /** Answered requests in the order of their answers. */
  readonly requests: readonly RecordedRequest[];
  /** Forgets the requests so far. */
  clear(): void;
  /** Cuts the connection in the middle of the first answer that fits and is long enough; only of that one. */
  cutOnce(cut: Cut): void;
}

export async function startRecordingProxy(
  workspace: Workspace,
  serverUrl: string,
): Promise<RecordingProxy> {
  const { hostname, port } = new URL(serverUrl);
  const requests: RecordedRequest[] = [];
  let pendingCut: Cut | undefined;
  const takeCut = (request: IncomingMessage, answer: IncomingMessage) => {
    const cut = pendingCut;
    if (!cut || !fits(cut, request, answer)) return undefined;
    pendingCut = undefined;
    return cut;
  };
  const server = createServer((request, response) => {
    const onward = forward(request, response, { hostname, port });
    onward.on('response', (answer) => {
      requests.push(recordOf(request, answer));
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const cut = takeCut(request, answer);
      if (cut) pipeUntilCut(answer, response, cut.afterBytes);
      else answer.pipe(response);
    });
  });
  const host = await listenInWorkspace(workspace, server);
  return {
    host,
    requests,
    clear: () => void requests.splice(0),
    cutOnce: (cut) => {
      pendingCut = cut;
    },
  };
}

function recordOf(request: IncomingMessage, answer: IncomingMessage): RecordedRequest {
  const { method = '', url: path = '' } = request;
  return { method, path, range: request.headers.range, status: answer.statusCode ?? 0 };
}

function fits(cut: Cut, request: IncomingMessage, answer: IncomingMessage): boolean {
  const length = Number(answer.headers['content-length'] ?? 0);
  return request.method === 'GET' && cut.path.test(request.url ?? '') && length > cut.afterBytes;
}

function pipeUntilCut(answer: IncomingMessage, response: ServerResponse, bytes: number): void {
  let left = bytes;
  answer.on('data', (piece: Buffer) => {
    if (left <= 0) return;
    const part = piece.subarray(0, left);
    left -= part.length;
    // Destroyed in the callback: the part has then been handed to the kernel.
    response.write(part, () => {
      if (left <= 0) response.destroy();
    });
  });
}
