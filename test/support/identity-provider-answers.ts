import type { ProviderAnswer } from './identity-provider-faults.ts';

export function clientRefused(): ProviderAnswer {
  return challenge('Basic realm="clients"', { error: 'invalid_client' });
}

export function bearerRefused(): ProviderAnswer {
  return challenge('Bearer', { error: 'invalid_token' });
}

function challenge(value: string, body: object): ProviderAnswer {
  const { headers, ...refusal } = json(401, body);
  return { ...refusal, headers: { ...headers, 'www-authenticate': value } };
}

export function json(status: number, body: unknown): ProviderAnswer {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  return { status, headers, body: JSON.stringify(body) };
}
