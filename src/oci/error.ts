/**
 * Every error code that a client of /v2/ can see, with the status and the message it has unless an
 * OciError says it more exactly. Codes: OCI distribution-spec "Error Codes"; beyond it TAG_INVALID (as
 * Docker and ECR use it), UNAVAILABLE and UNKNOWN.
 */
export const ERROR_CODES = {
  BLOB_UNKNOWN: {
    status: 404,
    message:
      'blob unknown to registry: this repository does not have it; push it, or mount it from one that has it',
  },
  BLOB_UPLOAD_INVALID: { status: 400, message: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: {
    status: 404,
    message:
      'blob upload unknown to registry: it ended, expired, or belongs to another repository; start a new one',
  },
  DIGEST_INVALID: { status: 400, message: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: {
    status: 400,
    message: 'manifest references a manifest or blob unknown to registry',
  },
  MANIFEST_INVALID: { status: 400, message: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, message: 'manifest unknown to registry' },
  NAME_INVALID: { status: 400, message: 'invalid repository name' },
  NAME_UNKNOWN: {
    status: 404,
    message:
      'repository name not known to registry: check the name; a repository comes with its first push',
  },
  SIZE_INVALID: { status: 400, message: 'provided length did not match content length' },
  UNAUTHORIZED: { status: 401, message: 'authentication required' },
  DENIED: { status: 403, message: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, message: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, message: 'too many requests' },
  TAG_INVALID: { status: 409, message: 'tag already exists' },
  UNAVAILABLE: { status: 503, message: 'a dependency is unavailable, try again' },
  UNKNOWN: {
    status: 500,
    message: 'internal server error: tell the operator the X-Request-Id of this answer',
  },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface OciErrorOptions {
  /** One sentence for the person who reads it: what is wrong, what to do. */
  readonly message?: string;
  /** Machine-readable facts; rendered as the error's `detail`. */
  readonly detail?: unknown;
  /** Where the condition has a better HTTP status than its code's own (409, 413, 416, 507). */
  readonly status?: number;
  /** Headers that the answer needs (Allow, Range, Retry-After …). */
  readonly headers?: Readonly<Record<string, string>>;
  /** The error's name in RFC 6749, section 5.2, where OAuth clients read the answer too. */
  readonly oauthError?: string;
  readonly cause?: unknown;
}

/** What a client is told. Thrown by registry/ and auth/, rendered by http/error-response and nowhere else. */
export class OciError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly oauthError: string | undefined;

  constructor(code: ErrorCode, options: OciErrorOptions = {}) {
    super(options.message ?? ERROR_CODES[code].message, { cause: options.cause });
    this.name = 'OciError';
    this.code = code;
    this.status = options.status ?? ERROR_CODES[code].status;
    this.detail = options.detail;
    this.headers = options.headers ?? {};
    this.oauthError = options.oauthError;
  }
}
