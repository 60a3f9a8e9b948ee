import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Log } from '../log.ts';
import { ListenError, type TlsFiles } from './exchange.ts';

/** What the files hold. Never logged. */
export interface TlsContent {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** How often files are looked at: certificates are renewed days before they expire. */
const LOOK_MS = 5_000;

/** Reads and checks a certificate and its key. @throws ListenError that names the file, and says what is wrong */
export async function readTlsFiles({ certFile, keyFile }: TlsFiles): Promise<TlsContent> {
  const [cert, key] = await Promise.all([
    readPem(certFile, 'HTTP_TLS_CERT_FILE'),
    readPem(keyFile, 'HTTP_TLS_KEY_FILE'),
  ]);
  checked(`${certFile} (HTTP_TLS_CERT_FILE) holds no certificate`, () => new X509Certificate(cert));
  checked(
    `${keyFile} (HTTP_TLS_KEY_FILE) holds no key without passphrase that belongs to the certificate in ${certFile}`,
    () => createSecureContext({ cert, key }),
  );
  return { cert, key };
}

async function readPem(file: string, setting: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new ListenError(`can't read ${file} (${setting}): ${reasonOf(cause)}`, { cause });
  }
}

function checked(sentence: string, check: () => unknown): void {
  try {
    check();
  } catch (cause) {
    throw new ListenError(`${sentence}: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Notices renewed files. */
export interface TlsWatch {
  /** From now on `renew` is called when the files hold something new and right. */
  start(renew: () => Promise<void>): void;
  stop(): void;
}

/**
 * Looks at the files at intervals. What is wrong with them is logged once; a pair that is half written is right at
 * a later look. @throws ListenError when they are wrong now
 */
export async function watchTlsFiles(files: TlsFiles, log: Log): Promise<TlsWatch> {
  let inUse = fingerprint(await readTlsFiles(files));
  let complaint = '';
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  const look = async (renew: () => Promise<void>) => {
    const content = await readTlsFiles(files);
    complaint = '';
    if (fingerprint(content) === inUse) return;
    await renew();
    inUse = fingerprint(content);
    const { subject, validTo } = new X509Certificate(content.cert);
    log.info({ subject, validTo }, 'new connections get the renewed certificate');
  };
  const complain = (error: unknown) => {
    const reason = reasonOf(error);
    if (reason === complaint) return;
    complaint = reason;
    log.error({ reason }, 'the renewed certificate cannot be used; the one before stays in use');
  };
  return {
    start(renew) {
      const lookAgain = () => {
        if (isStopped) return;
        timer = setTimeout(() => void look(renew).catch(complain).finally(lookAgain), LOOK_MS);
        timer.unref();
      };
      lookAgain();
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

function fingerprint({ cert, key }: TlsContent): string {
  return createHash('sha256').update(cert).update('\0').update(key).digest('hex');
}
