import { describe, expect, test } from 'vitest';
import {
  type AnswerHead,
  isPlainRange,
  keepsAlive,
  MAX_ANSWER_HEAD_BYTES,
  parseAnswerHead,
} from '../../src/storage/s3/s3-answer-head.ts';

const HEAD = [
  'HTTP/1.1 206 Partial Content',
  'Content-Length: 10',
  'content-range:bytes 5-14/100',
  'x-amz-meta-note: \tof two words \t',
];

function bytesOf(lines: readonly string[], body = ''): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

function parse(lines: readonly string[]): AnswerHead {
  const head = parseAnswerHead(bytesOf(lines));
  if (typeof head === 'string') throw new Error(head);
  return head;
}

describe('the head of an answer', () => {
  test('is read up to the body', () => {
    const bytes = bytesOf(HEAD, 'a body\r\n\r\n');
    expect(parseAnswerHead(bytes)).toEqual({
      status: 206,
      headers: new Map([
        ['content-length', '10'],
        ['content-range', 'bytes 5-14/100'],
        ['x-amz-meta-note', 'of two words'],
      ]),
      sizeBytes: bytes.indexOf('a body'),
    });
  });

  test('is incomplete until its last byte', () => {
    const bytes = bytesOf(HEAD);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(parseAnswerHead(bytes.subarray(0, length))).toBe('incomplete');
    }
  });

  test.each(['HTTP/1.1 200', 'HTTP/1.1 200 ', 'HTTP/1.1 200 OK'])('may begin with %j', (line) => {
    expect(parse([line])).toMatchObject({ status: 200 });
  });

  test('joins the values of a header that came twice', () => {
    const { headers } = parse([...HEAD, 'Content-Length: 11']);
    expect(headers.get('content-length')).toBe('10, 11');
  });

  test.each([
    ['another version', ['HTTP/1.0 206 OK']],
    ['no status', ['HTTP/1.1 OK']],
    ['a status of four digits', ['HTTP/1.1 2060 OK']],
    ['what speaks another protocol', ['SSH-2.0-OpenSSH']],
    ['a line without a colon', [...HEAD, 'no header']],
    ['a space before a colon', [...HEAD, 'Content-Length : 10']],
    ['a folded line', [...HEAD, ' more of the note']],
    ['a header without a name', [...HEAD, ': 10']],
    ['a line feed alone', [...HEAD, 'a: b\nTransfer-Encoding: chunked']],
    ['a carriage return alone', [...HEAD, 'a: b\rTransfer-Encoding: chunked']],
  ])('is malformed: %s', (_, lines) => {
    expect(parseAnswerHead(bytesOf(lines))).toBe('malformed');
  });

  test('has a limit', () => {
    const spare = MAX_ANSWER_HEAD_BYTES - bytesOf([...HEAD, 'a: ']).length;
    const long = (length: number) => bytesOf([...HEAD, `a: ${'x'.repeat(length)}`]);
    expect(parseAnswerHead(long(spare))).toMatchObject({ sizeBytes: MAX_ANSWER_HEAD_BYTES });
    expect(parseAnswerHead(long(spare + 1))).toBe('malformed');
    expect(parseAnswerHead(Buffer.alloc(MAX_ANSWER_HEAD_BYTES, 'x'))).toBe('malformed');
  });
});

describe('a plain range', () => {
  test('has the length and the place that were asked for', () => {
    expect(isPlainRange(parse(HEAD), 5, 15)).toBe(true);
    expect(isPlainRange(parse(HEAD), 5, 14)).toBe(false);
    expect(isPlainRange(parse(HEAD), 4, 14)).toBe(false);
  });

  test.each([
    ['a whole object', ['HTTP/1.1 200 OK', ...HEAD.slice(1)]],
    ['no length', HEAD.filter((line) => !line.startsWith('Content-Length'))],
    ['two lengths', [...HEAD, 'Content-Length: 10']],
    ['no place', HEAD.filter((line) => !line.startsWith('content-range'))],
    ['chunks', [...HEAD, 'Transfer-Encoding: chunked']],
  ])('is not %s', (_, lines) => {
    expect(isPlainRange(parse(lines), 5, 15)).toBe(false);
  });
});

test.each([
  [[], true],
  [['Connection: keep-alive'], true],
  [['Connection: Close'], false],
  [['Connection: Keep-Alive, close'], false],
])('%j: another request may follow: %j', (lines, expected) => {
  expect(keepsAlive(parse([...HEAD, ...lines]))).toBe(expected);
});
