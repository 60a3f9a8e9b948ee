import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Writes a key and a certificate for localhost that is signed by itself. */
export async function makeCertificate(certFile: string, keyFile: string): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const files = ['-out', certFile, '-keyout', keyFile];
  await execute('openssl', ['req', '-x509', ...key, '-days', '2', ...names, ...files]);
}
