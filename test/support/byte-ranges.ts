import { expect } from 'vitest';
import type { HttpAnswer } from './http-client.ts';
import type { Sample } from './sample-content.ts';

/** A part of a blob, as a 206 has it. */
export interface Part {
  readonly range: string | undefined;
  readonly bytes: Buffer;
}

/** The parts of a 206, of one or of several ranges (RFC 9110, section 14.6). */
export function partsOf({ headers, body }: HttpAnswer): Part[] {
  expect(headers['content-length']).toBe(String(body.length));
  const type = headers['content-type'] ?? '';
  const boundary = /^multipart\/byteranges; ?boundary="?([^";]+)"?$/.exec(type)?.[1];
  if (boundary === undefined) return [{ range: headers['content-range'], bytes: body }];
  expect(headers['content-range']).toBeUndefined();
  const pieces = `\r\n${body.toString('latin1')}`.split(`\r\n--${boundary}`);
  expect(pieces.at(-1)?.trim()).toBe('--');
  return pieces.slice(1, -1).map((piece) => {
    const [head = '', ...rest] = piece.split('\r\n\r\n');
    expect(head).toMatch(/^content-type: application\/octet-stream$/im);
    const range = /^content-range: (.*)$/im.exec(head)?.[1];
    return { range, bytes: Buffer.from(rest.join('\r\n\r\n'), 'latin1') };
  });
}

/** The part that a range asks for; both ends inclusive. */
export function rangeOf({ bytes }: Sample, first: number, last: number): Part {
  return {
    range: `bytes ${first}-${last}/${bytes.length}`,
    bytes: bytes.subarray(first, last + 1),
  };
}
