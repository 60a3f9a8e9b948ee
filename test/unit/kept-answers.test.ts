import { expect, test } from 'vitest';
import { KeptAnswers } from '../../src/http/kept-answers.ts';

const PATH = '/v2/acme/app/blobs/sha256:1';
const whole = { status: 200, headers: {}, body: 'hello' };
const head = { status: 200, headers: { 'Content-Length': '5' } };
const kept = { route: 'blob', repository: undefined } as const;

test('the answer to a HEAD is for HEAD alone, and never takes the place of a whole one', () => {
  const answers = new KeptAnswers();
  answers.keep(PATH, { answer: head, ...kept });
  expect(answers.find('GET', PATH)).toBeUndefined();
  expect(answers.find('HEAD', PATH)?.answer).toMatchObject(head);
  answers.keep(PATH, { answer: whole, ...kept });
  answers.keep(PATH, { answer: head, ...kept });
  expect(answers.find('GET', PATH)?.answer.body).toEqual(Buffer.from('hello'));
});
