import { describe, expect, test } from 'vitest';
import type { HttpAnswer, HttpClient } from './http-client.ts';
import { fill, type Given, newWords, setScene, type Words } from './rest-scenes.ts';

/*
 * A table of the REST API: each row is a request, what was there before, and the answer. Words in capital letters stand
 * for what differs between runs; TIME for a time in UTC with milliseconds, ID for an event's id.
 */

export interface RestRow {
  readonly request: string;
  readonly given?: Given;
  readonly note?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  /** The JSON of the answer. */
  readonly content?: unknown;
  /** Some of the fields of an object. */
  readonly contains?: object;
  /** What the sentence of an error says. */
  readonly says?: RegExp;
  /** Headers of the answer. */
  readonly answer?: Readonly<Record<string, string | RegExp | undefined>>;
}

export type RestTable = Readonly<Record<string, readonly RestRow[]>>;

export interface RestStage {
  /** Of checked-client.ts: it holds each answer to the OpenAPI document. */
  readonly api: HttpClient;
}

export function testRestRows(table: RestTable, stage: () => RestStage): void {
  for (const [promise, rows] of Object.entries(table)) {
    describe(promise, () => {
      for (const row of rows) test(titleOf(row), () => checkRow(stage(), row));
    });
  }
}

function titleOf({ request, given = 'nothing', note, status }: RestRow): string {
  return [request, `given ${given}`, note, `→ ${status}`].filter(Boolean).join(' ');
}

async function checkRow(stage: RestStage, row: RestRow): Promise<void> {
  const words = newWords();
  await setScene(row.given ?? 'nothing', stage.api, words);
  const [method = '', path = ''] = fill(row.request, words).split(' ');
  const { headers = {} } = row;
  const answer = await stage.api.send(method, path, { headers });
  const shown = { status: answer.status, body: answer.body.toString().slice(0, 500) };
  expect(shown, row.request).toMatchObject({ status: row.status });
  checkHeaders(answer, row, words);
  if (method === 'OPTIONS') return;
  checkContent(answer, row, words);
  if (method === 'GET') await checkHead(stage, path, headers, answer);
}

function checkHeaders(answer: HttpAnswer, { answer: wanted = {} }: RestRow, words: Words): void {
  expect(answer.headers['access-control-allow-origin']).toBe('*');
  for (const [name, value] of Object.entries(wanted)) {
    if (value instanceof RegExp) expect(answer.headers[name], name).toMatch(value);
    else expect(answer.headers[name], name).toBe(value && fill(value, words));
  }
}

function checkContent(answer: HttpAnswer, row: RestRow, words: Words): void {
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
  const content: unknown = JSON.parse(answer.body.toString(), steady);
  const filled = (value: unknown): unknown => JSON.parse(fill(JSON.stringify(value), words));
  if (row.status >= 400) {
    if (!row.says)
      throw new Error(`${row.request}: the row doesn't tell what the error has to say`);
    expect(content).toEqual({ message: expect.stringMatching(row.says), details: null });
  } else if (row.contains) expect(content).toMatchObject(Object(filled(row.contains)));
  else expect(content).toEqual(filled(row.content));
}

/** Puts words where each run has something else. */
function steady(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (name === 'id' && /^\d+$/.test(value)) return 'ID';
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) ? 'TIME' : value;
}

/** HEAD is answered as GET, without a body. */
async function checkHead(
  { api }: RestStage,
  path: string,
  headers: Readonly<Record<string, string>>,
  got: HttpAnswer,
): Promise<void> {
  const head = await api.send('HEAD', path, { headers });
  expect({ ...comparable(head), bytes: head.body.length }).toEqual({
    ...comparable(got),
    bytes: 0,
  });
}

function comparable({ status, headers }: HttpAnswer) {
  const { date: _, 'x-request-id': __, 'content-length': ___, ...rest } = headers;
  const { 'transfer-encoding': ____, ...same } = rest;
  return { status, headers: same };
}
