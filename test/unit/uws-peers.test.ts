import { beforeEach, expect, test } from 'vitest';
import { UwsPeers } from '../../src/http/uws-peers.ts';

/*
 * When uWebSockets.js is asked for an address: test/contract/transport.ts has real connections.
 */

type Response = Parameters<UwsPeers['opened']>[0];

let peers: UwsPeers;
let asked: number;

beforeEach(() => {
  asked = 0;
  peers = new UwsPeers();
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

test('also after one of them has gone: it may be either', () => {
  open(1);
  open(2);
  peers.closed();
  open(1);
  expect(ask(1)).toBe(10);
  expect(ask(2)).toBe(10);
});

test('an address of IPv4 on a socket for IPv6 is one of IPv4', () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1);
  peers.opened(responseTo(mapped));
  expect(peers.addressOf(responseTo(mapped))).toBe('192.0.2.1');
});

test('after all have gone, the next one is the only one again', () => {
  open(1);
  open(2);
  peers.closed();
  peers.closed();
  open(2);
  expect(ask(2)).toBe(0);
  open(1);
  expect(ask(1)).toBe(10);
});

test('a connection that is closed before anybody looked at it has no address, and takes none from others', () => {
  peers.opened(responseTo(new Uint8Array(0)));
  open(1);
  expect(ask(1)).toBe(10);
  peers.closed();
  peers.closed();
  open(1);
  peers.opened(responseTo(new Uint8Array(0)));
  expect(ask(1)).toBe(10);
});
