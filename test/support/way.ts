import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * The way in which servers and clients of a test speak HTTP. The projects of vitest.config.ts that run the API's tests set
 * TEST_TRANSPORT, and TEST_TLS_DIRECTORY for HTTPS; elsewhere it is what the server does by default.
 */

const transport = process.env['TEST_TRANSPORT'];
const tlsDirectory = process.env['TEST_TLS_DIRECTORY'];

/** What certificate-setup.ts makes in TEST_TLS_DIRECTORY. */
export const TLS_FILES = {
  authority: 'authority.pem',
  certificate: 'certificate.pem',
  key: 'key.pem',
} as const;

/** Settings of a server that is to speak this way. */
export function settingsOfWay(): Record<string, string> {
  return {
    ...(transport ? { HTTP_TRANSPORT: transport } : {}),
    ...(tlsDirectory
      ? {
          HTTP_TLS_CERT_FILE: join(tlsDirectory, TLS_FILES.certificate),
          HTTP_TLS_KEY_FILE: join(tlsDirectory, TLS_FILES.key),
        }
      : {}),
  };
}

/** The certificate authority that clients trust. @throws when this way has no TLS */
export function trustedAuthority(): Buffer {
  if (!tlsDirectory) throw new Error('TEST_TLS_DIRECTORY is not set: no certificate is trusted');
  return readFileSync(join(tlsDirectory, TLS_FILES.authority));
}
