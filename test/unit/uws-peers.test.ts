import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { UwsPeers } from '../../src/http/uws-peers.ts';

/*
 * When uWebSockets.js is asked for an address: test/contract/transport.ts has real connections, but no minutes to wait.
 */

type Response = Parameters<UwsPeers['opened']>[0];

let peers: UwsPeers;
let asked: number;

beforeEach(() => {
  vi.useFakeTimers();
  asked = 0;
  peers = new UwsPeers();
});

afterEach(() => {
  vi.useRealTimers();
});

function responseTo(address: Uint8Array<ArrayBuffer>): Response {
  return {
    getRemoteAddress: () => {
      asked += 1;
      return address.buffer;
    },
    getRemoteAddressAsText: () => new ArrayBuffer(0),
  };
}

function from(last: number): Response {
  return responseTo(Uint8Array.of(192, 0, 2, last));
}

function open(last: number): void {
  peers.opened(from(last));
}

/** In the steps in which the transport does. */
function wait(ms: number, running: readonly Response[] = []): void {
  for (let waited = 0; waited < ms; waited += 4_000) {
    vi.advanceTimersByTime(4_000);
    peers.review(running.map((response) => ({ remoteAddress: peers.addressOf(response) })));
  }
}

/** @returns how often uWebSockets.js was asked for ten requests from there */
function ask(last: number): number {
  const before = asked;
  for (let count = 0; count < 10; count += 1) {
    expect(peers.addressOf(from(last))).toBe(`192.0.2.${last}`);
  }
  return asked - before;
}

test('one address is asked for as its connections are opened', () => {
  open(1);
  open(1);
  expect(ask(1)).toBe(0);
});

test('with two addresses each request is asked for its own', () => {
  open(1);
  open(2);
  expect(ask(1)).toBe(10);
  expect(ask(2)).toBe(10);
});

test('an address that has not been heard of for a minute is gone', () => {
  open(1);
  open(2);
  wait(56_000);
  expect(ask(1)).toBe(10);
  wait(8_000);
  expect(ask(1)).toBe(0);
  open(2);
  expect(ask(2)).toBe(10);
});

test('so is the one that was there first', () => {
  open(1);
  open(2);
  for (let minutes = 0; minutes < 3; minutes += 1) {
    wait(32_000);
    ask(2);
    wait(32_000);
  }
  expect(ask(2)).toBe(0);
});

test('a request that takes longer than that is not forgotten', () => {
  open(1);
  open(2);
  for (let minutes = 0; minutes < 5; minutes += 1) {
    wait(60_000, [from(2)]);
    expect(ask(1)).toBe(10);
  }
  expect(ask(2)).toBe(10);
});

test('the address of a connection that is closed already says nothing', () => {
  const closed = responseTo(new Uint8Array(0));
  peers.opened(closed);
  open(1);
  peers.opened(closed);
  expect(ask(1)).toBe(0);
});
