import { OciError } from '../oci/error.ts';
import { errorAnswer } from './error-response.ts';
import { type Answer, MAX_HEAD_BYTES } from './exchange.ts';

/** What a transport tells whoever sends something that is no request. */
export const REFUSALS = {
  tooLong: { status: 431, message: `the head of a request has at most ${MAX_HEAD_BYTES} bytes` },
  tooLate: { status: 408, message: 'the head of the request did not come in time' },
  malformed: { status: 400, message: 'this is no HTTP request' },
} as const;

export type Refusal = keyof typeof REFUSALS;

/** The connection is closed after it, which its transport says. */
export function refusalAnswer(refusal: Refusal): Answer {
  return errorAnswer(new OciError('UNSUPPORTED', REFUSALS[refusal]));
}
