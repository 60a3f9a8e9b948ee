import { describe, expect, test } from 'vitest';
import {
  fill,
  type Given,
  newWords,
  type Request,
  type Stage,
  send,
  setScene,
  type Words,
  withBody,
} from './api-scenes.ts';
import type { HttpAnswer } from './http-client.ts';

/*
 * A table of the API: each row is a request, what was there before, and the answer. Words in capital letters stand
 * for what differs between runs: REPO and OTHER (repositories of the row's own), BLOB (the digest of "hello world"),
 * BLOB512, EMPTY, UPLOAD (an id), IMAGE (the digest of a manifest), ABSENT (a digest of nothing that exists),
 * SHA256_OF_BODY, SHA512_OF_BODY (a GET sends no body: there it only says which digests are meant).
 */

/** An error, as an answer tells it. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  /** What its sentence says. */
  readonly says: RegExp;
  readonly detail?: object;
}

export interface Expectation extends Request {
  readonly status: number;
  /** The code of the error body. */
  readonly code?: string;
  /** What the sentence of the error says; each error has to have one that helps. */
  readonly says?: RegExp;
  /** The detail of the error. */
  readonly detail?: object;
  /** Headers of the answer; undefined: it must not have it. */
  readonly answer?: Readonly<Record<string, string | RegExp | undefined>>;
  /** The body of the answer; an object: as JSON. */
  readonly content?: string | object;
}

export interface Row extends Expectation {
  readonly given?: Given;
  /** What makes the row differ from others with the same request. */
  readonly note?: string;
  /** Further requests before and after the one that the row is about. */
  readonly before?: readonly Expectation[];
  readonly after?: readonly Expectation[];
}

/** Rows by what promises them: an endpoint of the distribution spec, or a rule. */
export type Table = Readonly<Record<string, readonly Row[]>>;

/** A test for each row; `stage` is asked for when it runs. */
export function testRows(table: Table, stage: () => Stage): void {
  for (const [promise, rows] of Object.entries(table)) {
    describe(promise, () => {
      for (const row of rows) test(titleOf(row), () => check(stage(), row));
    });
  }
}

function titleOf({ request, given = 'nothing', note, status, code }: Row): string {
  return [request, `given ${given}`, note, `→ ${status}`, code].filter(Boolean).join(' ');
}

/** Runs a row, and its request as HEAD if it is a GET: HEAD is answered as GET, without a body. */
export async function check(stage: Stage, row: Row): Promise<void> {
  const words = newWords();
  await setScene(row.given ?? 'nothing', stage, words);
  for (const expectation of [...(row.before ?? []), row, ...(row.after ?? [])]) {
    await checkOne(stage, words, expectation);
  }
}

async function checkOne(stage: Stage, words: Words, expectation: Expectation): Promise<void> {
  const answer = await send(stage, words, expectation);
  const { status, request, answer: headers = {}, content } = expectation;
  const all = withBody(words, expectation.body);
  const shown = { status: answer.status, body: answer.body.toString().slice(0, 500) };
  expect(shown, request).toMatchObject({ status });
  expect(answer.headers['docker-distribution-api-version']).toBe('registry/2.0');
  for (const [name, wanted] of Object.entries(headers)) {
    const given = answer.headers[name];
    if (wanted instanceof RegExp) expect(given, name).toMatch(wanted);
    else expect(given, name).toBe(wanted === undefined ? undefined : fill(wanted, all));
  }
  if (status >= 400) checkError(answer, expectation, all);
  if (typeof content === 'string') expect(answer.body.toString()).toBe(fill(content, words));
  else if (content) {
    expect(JSON.parse(answer.body.toString())).toEqual(JSON.parse(fillJson(content, all)));
  }
  if (request.startsWith('GET ')) await checkHead(stage, words, expectation, answer);
}

function checkError(answer: HttpAnswer, expectation: Expectation, words: Words): void {
  const { request, status, code, says, detail } = expectation;
  if (!code || !says) throw new Error(`${request}: the row doesn't tell what the error has to say`);
  const wanted = detail && JSON.parse(fillJson(detail, words));
  const refusal = { status, code, says, ...(detail ? { detail: wanted } : {}) };
  if (request.startsWith('HEAD ')) expect(answer.body.length).toBe(0);
  else expectRefusal(answer, refusal);
}

/** An error is what the distribution spec draws, and says what is wrong and what to do. */
export function expectRefusal(answer: HttpAnswer, { status, code, says, detail }: Refusal): void {
  const { headers, body } = answer;
  expect({ status: answer.status, body: JSON.parse(body.toString()) }).toEqual({
    status,
    body: {
      errors: [
        {
          code,
          message: expect.stringMatching(says),
          ...(detail ? { detail } : anyDetail(answer)),
        },
      ],
    },
  });
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'docker-distribution-api-version': 'registry/2.0',
  });
}

function anyDetail(answer: HttpAnswer): object {
  return answer.body.includes('"detail"') ? { detail: expect.anything() } : {};
}

async function checkHead(stage: Stage, words: Words, expectation: Expectation, got: HttpAnswer) {
  // A Range is defined for GET alone (RFC 9110, section 14.2).
  if (expectation.headers?.['Range'] !== undefined) return;
  const request = expectation.request.replace(/^GET/, 'HEAD');
  const head = await send(stage, words, { ...expectation, request });
  expect(head.body.length, request).toBe(0);
  expect(comparable(head), request).toEqual(comparable(got));
  // The sentence of an error may name the method.
  if (got.status === 200) expect(head.headers['content-length']).toBe(String(got.body.length));
}

function comparable({ status, headers }: HttpAnswer) {
  const { date: _, 'x-request-id': __, 'content-length': ___, ...rest } = headers;
  return { status, headers: rest };
}

function fillJson(value: object, words: Words): string {
  return fill(JSON.stringify(value), words);
}
