import { describe, expect, test } from 'vitest';
import type { Answer, Exchange } from '../../src/http/exchange.ts';
import { ObservedExchange } from '../../src/http/observed-exchange.ts';

const NOTES = {
  id: '1',
  trace: undefined,
  route: 'none',
  uid: undefined,
  errorCode: undefined,
} as const;
const ANSWER: Answer = { status: 200, headers: {}, body: 'hello', isFixed: true };

/** A client that takes so many bytes, and may have gone then. */
function exchangeOf(takenBytes: number, isGone: boolean): Exchange & { readonly sent: Answer[] } {
  const sent: Answer[] = [];
  return {
    method: 'GET',
    path: '/',
    query: '',
    body: undefined,
    remoteAddress: '127.0.0.1',
    isOpen: true,
    signal: isGone ? AbortSignal.abort() : new AbortController().signal,
    header: () => undefined,
    send: (answer) => void sent.push(answer),
    stream: () => Promise.resolve(takenBytes),
    sent,
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

describe('an answer is cut', () => {
  test.each([
    { title: 'with fewer bytes than its length', bytes: 4, isGone: true, length: 5, isCut: true },
    { title: 'not with all of them', bytes: 5, isGone: false, length: 5, isCut: false },
    {
      title: 'without a length, when its client goes',
      bytes: 5,
      isGone: true,
      length: undefined,
      isCut: true,
    },
    {
      title: 'not without a length, while its client stays',
      bytes: 5,
      isGone: false,
      length: undefined,
      isCut: false,
    },
  ])('$title', async ({ bytes, isGone, length, isCut }) => {
    const observed = new ObservedExchange(exchangeOf(bytes, isGone), { ...NOTES }, undefined);
    await observed.stream(ANSWER, length, nothing());
    expect([observed.isCut, observed.sentBytes]).toEqual([isCut, bytes]);
  });
});

test('an answer that tells its request’s id is another one each time, and kept by no transport', () => {
  const exchange = exchangeOf(0, false);
  new ObservedExchange(exchange, { ...NOTES }, 'mine').send(ANSWER);
  expect(exchange.sent).toEqual([
    { status: 200, headers: { 'X-Request-Id': 'mine' }, body: 'hello' },
  ]);
});
