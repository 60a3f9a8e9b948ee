import { X509Certificate } from 'node:crypto';
import { createServer } from 'node:net';
import type { Config } from '../config.ts';
import { startListening } from '../http/listening.ts';
import { readTlsFiles } from '../http/tls-files.ts';
import { type Finding, failed, ok, problem, warning } from './finding.ts';
import { ask } from './http-answer.ts';

const DAY_MS = 24 * 60 * 60_000;
const RENEWAL_DAYS = 14;

/** The server's own addresses and certificate. */
export async function* checkListening(config: Config): AsyncGenerator<Finding> {
  const { http, management } = config;
  yield* checkTls(http.tls);
  const scheme = http.tls ? 'https' : 'http';
  yield await checkPort('HTTP_PORT', http, {
    url: `${scheme}://${authority(http)}/.well-known/health`,
    text: '{"health": true}',
  });
  yield await checkPort('MGMT_HTTP_PORT', management, {
    url: `http://${authority(management)}/health/live`,
    text: '{"status":"ok"}',
  });
}

async function* checkTls(tls: Config['http']['tls']): AsyncGenerator<Finding> {
  if (!tls) return;
  const check = 'HTTP_TLS_CERT_FILE';
  try {
    const { cert } = await readTlsFiles(tls);
    yield expiry(check, new X509Certificate(cert));
  } catch (error) {
    yield failed(check, error);
  }
}

function expiry(check: string, { validFrom, validTo }: X509Certificate): Finding {
  const daysLeft = Math.floor((Date.parse(validTo) - Date.now()) / DAY_MS);
  if (Date.parse(validFrom) > Date.now()) {
    return problem(
      check,
      `the certificate is valid only from ${validFrom} on: is the clock right?`,
    );
  }
  if (daysLeft < 0) return problem(check, `the certificate expired on ${validTo}: renew it`);
  if (daysLeft < RENEWAL_DAYS) {
    return warning(check, `the certificate ends in ${daysLeft} days, on ${validTo}: renew it`);
  }
  return ok(check, `certificate and key belong together, until ${validTo}`);
}

interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a Pier One answers, where it has the address already. */
interface SignOfLife {
  readonly url: string;
  readonly text: string;
}

async function checkPort(setting: string, address: Address, sign: SignOfLife): Promise<Finding> {
  const { host, port } = address;
  if (port === 0) return ok(setting, 'a free port will be taken');
  const server = createServer();
  try {
    await startListening(server, address, setting);
    return ok(setting, `${host} port ${port} is free`);
  } catch (error) {
    if (await isPierOne(sign)) return ok(setting, `a Pier One listens on ${host} port ${port}`);
    const { message } = failed(setting, error);
    return problem(setting, `${message}: set it to another one, or end what uses it`);
  } finally {
    server.close();
  }
}

/** Its certificate may be one for another name than the address. */
async function isPierOne({ url, text }: SignOfLife): Promise<boolean> {
  const answer = await ask(new URL(url), { trustsAll: true });
  return answer.kind === 'answer' && answer.status === 200 && answer.text.trim() === text;
}

function authority({ host, port }: Address): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
