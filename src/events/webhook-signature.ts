import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';
/** The specification's: 192 to 512 bits. */
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** The key that a secret stands for: `whsec_` and base64. Undefined: it is none. */
export function readWebhookSecret(secret: string): Buffer | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  const encoded = secret.slice(PREFIX.length);
  const key = Buffer.from(encoded, 'base64');
  // Buffer leaves out what is no base64: a secret with a slip of the pen would be another key for each side.
  const isExact = key.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '');
  return isExact && key.length >= MIN_BYTES && key.length <= MAX_BYTES ? key : undefined;
}

/**
 * The headers of the Standard Webhooks specification: HMAC-SHA256 of id, time of the attempt and body. With several
 * keys each signs, so that a receiver may know either.
 * @param id has no dot
 */
export function signatureHeaders(
  id: string,
  body: string,
  keys: readonly Buffer[],
  now: Date,
): Record<string, string> {
  const seconds = Math.floor(now.getTime() / 1000).toString();
  const signatures = keys.map((key) => {
    const hmac = createHmac('sha256', key).update(`${id}.${seconds}.${body}`);
    return `v1,${hmac.digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    ...(signatures.length > 0 ? { 'webhook-signature': signatures.join(' ') } : {}),
  };
}
