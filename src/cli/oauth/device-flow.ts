import { setTimeout as delay } from 'node:timers/promises';
import type { Http } from '../http.ts';
import { textOf } from '../json.ts';
import type { Issuer } from './issuer.ts';
import {
  askJson,
  type Client,
  clientFields,
  clientHeaders,
  ProviderUnavailable,
  printable,
  requestToken,
  TokenRefused,
} from './token-request.ts';
import type { StoredToken } from './token-store.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const DEFAULT_INTERVAL_SECONDS = 5;
const SLOWER_BY_SECONDS = 5;
const DEFAULT_LIFETIME_SECONDS = 600;

export interface DeviceFlow {
  readonly http: Http;
  readonly issuer: Issuer;
  readonly client: Client;
  readonly scope: string;
  /** Tells the user where to go, and what to enter there. */
  readonly show: (place: string, code: string) => void;
}

interface Device {
  readonly code: string;
  readonly expiresAt: number;
  readonly intervalSeconds: number;
}

/** RFC 8628: the user logs in elsewhere, with a code that is shown here. @throws TokenRefused; ProviderUnavailable */
export async function logInByDevice(flow: DeviceFlow): Promise<StoredToken> {
  const device = await beginDevice(flow);
  let { intervalSeconds } = device;
  while (Date.now() < device.expiresAt) {
    await delay(intervalSeconds * 1000);
    const outcome = await poll(flow, device.code);
    if (typeof outcome === 'object') return outcome;
    if (outcome === 'slower') intervalSeconds += SLOWER_BY_SECONDS;
    if (outcome === 'away') intervalSeconds *= 2;
  }
  throw new TokenRefused('expired_token', 'nobody entered the code in time');
}

async function beginDevice({ http, issuer, client, scope, show }: DeviceFlow): Promise<Device> {
  const endpoint = issuer.deviceEndpoint;
  if (!endpoint) throw new ProviderUnavailable(`${issuer.name} has no device flow`);
  const form = { ...clientFields(client), scope };
  const { status, body } = await askJson(http, endpoint, form, clientHeaders(client));
  const code = textOf(body, 'device_code');
  const userCode = textOf(body, 'user_code');
  const place = textOf(body, 'verification_uri') ?? textOf(body, 'verification_url');
  if (status !== 200 || code === undefined || userCode === undefined || place === undefined) {
    throw new TokenRefused(
      printable(textOf(body, 'error') ?? `status ${status}`),
      printable(textOf(body, 'error_description')),
    );
  }
  show(printable(textOf(body, 'verification_uri_complete') ?? place), printable(userCode));
  return {
    code,
    expiresAt: Date.now() + secondsOf(body['expires_in'], DEFAULT_LIFETIME_SECONDS) * 1000,
    intervalSeconds: secondsOf(body['interval'], DEFAULT_INTERVAL_SECONDS),
  };
}

/** An outage for a while is no reason to begin again. */
async function poll(
  { http, issuer, client }: DeviceFlow,
  code: string,
): Promise<StoredToken | 'pending' | 'slower' | 'away'> {
  const form = { ...clientFields(client), grant_type: GRANT, device_code: code };
  try {
    return await requestToken(http, issuer.tokenEndpoint, form, clientHeaders(client));
  } catch (error) {
    if (error instanceof ProviderUnavailable) return 'away';
    if (!(error instanceof TokenRefused)) throw error;
    if (error.code === 'authorization_pending') return 'pending';
    if (error.code === 'slow_down') return 'slower';
    throw error;
  }
}

function secondsOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : otherwise;
}
