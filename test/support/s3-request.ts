import type { IncomingMessage } from 'node:http';

/** A request to S3 in path style. */
export interface S3Request {
  readonly method: string;
  /** Bucket and key. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** S3's name for what is asked, for instance UploadPart. */
  readonly operation: string;
  readonly range: string | undefined;
}

/** One that has passed by; it is kept up to date while it goes on. */
export interface RecordedS3Request extends S3Request {
  /** Of the body, as far as it was taken from the client. */
  upBytes: number;
  /** Of the answer's body, as far as S3 has sent it. */
  downBytes: number;
  /** What S3, or the proxy, answered. Undefined: nothing yet, or never. */
  status: number | undefined;
}

export function recordS3Request(request: IncomingMessage): RecordedS3Request {
  const { method = '', url = '/', headers } = request;
  const { pathname: path, searchParams: query } = new URL(url, 'http://s3');
  const operation = nameOperation(method, query, {
    hasKey: /^\/[^/]+\/./.test(path),
    isCopy: 'x-amz-copy-source' in headers,
  });
  const { range } = headers;
  return { method, path, query, operation, range, upBytes: 0, downBytes: 0, status: undefined };
}

interface Details {
  readonly hasKey: boolean;
  readonly isCopy: boolean;
}

function nameOperation(method: string, query: URLSearchParams, details: Details): string {
  return details.hasKey ? nameOfObject(method, query, details) : nameOfBucket(method, query);
}

function nameOfObject(method: string, query: URLSearchParams, { isCopy }: Details): string {
  const isOfUpload = query.has('uploadId');
  switch (method) {
    case 'PUT':
      if (isOfUpload) return isCopy ? 'UploadPartCopy' : 'UploadPart';
      return isCopy ? 'CopyObject' : 'PutObject';
    case 'POST':
      return isOfUpload ? 'CompleteMultipartUpload' : 'CreateMultipartUpload';
    case 'DELETE':
      return isOfUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'HEAD':
      return 'HeadObject';
    default:
      return isOfUpload ? 'ListParts' : 'GetObject';
  }
}

function nameOfBucket(method: string, query: URLSearchParams): string {
  switch (method) {
    case 'POST':
      return 'DeleteObjects';
    case 'GET':
      return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjects';
    default:
      return `${method} of a bucket`;
  }
}
