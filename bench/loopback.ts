import { readFileSync } from 'node:fs';

/** Bytes that went over loopback so far, whoever sent them, with the heads of their packets. */
export function loopbackBytes(): number {
  const line = /^\s*lo:\s*(\d+)/m.exec(readFileSync('/proc/net/dev', 'utf8'));
  if (!line) throw new Error('/proc/net/dev has no line of lo');
  return Number(line[1]);
}
