import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { run } from './process-runner.ts';
import { TLS_FILES } from './way.ts';

/** Once per run of a project with TLS: an authority of the run's own, and a certificate for loopback signed by it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = project.config.env['TEST_TLS_DIRECTORY'];
  if (!directory) throw new Error('TEST_TLS_DIRECTORY is not set');
  await mkdir(directory, { mode: 0o700 });
  const remove = () => rm(directory, { recursive: true, force: true });
  await makeCertificates(directory).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  return remove;
}

async function makeCertificates(directory: string): Promise<void> {
  const openssl = (...args: string[]) =>
    run('openssl', args, { cwd: directory }).catch((cause: unknown) => {
      throw new Error('no certificate: is openssl installed (scripts/install-test-dependencies)?', {
        cause,
      });
    });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = ['-out', TLS_FILES.authority, '-keyout', 'authority-key.pem', '-days', '2'];
  await openssl('req', '-x509', ...newKey, ...authority, '-subj', '/CN=Pier One test authority');
  const request = ['-out', 'request.pem', '-keyout', TLS_FILES.key];
  await openssl('req', '-new', ...newKey, ...request, '-subj', '/CN=localhost');
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n';
  await writeFile(join(directory, 'names'), names);
  const signing = ['-CA', TLS_FILES.authority, '-CAkey', 'authority-key.pem', '-CAcreateserial'];
  const signed = ['-in', 'request.pem', '-out', TLS_FILES.certificate, '-days', '2'];
  await openssl('x509', '-req', ...signed, ...signing, '-extfile', 'names');
}
