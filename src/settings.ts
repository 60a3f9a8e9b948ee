import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { boolean, integer, orUnset, type Setting, setting, text } from './setting.ts';
import { ACCESS_SECRET_SETTINGS, ACCESS_SETTINGS } from './settings-access.ts';
import { EVENT_SECRET_SETTINGS, EVENT_SETTINGS } from './settings-events.ts';
import { S3_SECRET_SETTINGS, S3_SETTINGS } from './settings-s3.ts';

const MIB = 1024 * 1024;

const databaseUrl = z
  .string()
  .refine(
    (url) => /^postgres(ql)?:\/\//.test(url) && URL.canParse(url),
    'a URL such as postgresql://user:password@host:5432/pierone',
  );
const subname = z
  .string()
  .refine(
    (name) =>
      /^\/\/[^/?#@\s]+\/[^/?#\s]+(\?[^#\s]*)?$/.test(name) && URL.canParse(`postgresql:${name}`),
    'of the form //host:port/database, as in //localhost:5432/pierone',
  );
const tagPatterns = z
  .string()
  .regex(
    /^[a-zA-Z0-9_.*-]*(,[a-zA-Z0-9_.*-]+)*$/,
    'a comma-separated list of tag names, in which * stands for any characters',
  )
  .refine(
    (list) => !list.split(',').includes('latest'),
    'a list without latest, which always means the newest immutable tag',
  )
  .transform((list) => list.split(',').filter((pattern) => pattern !== ''));

const origin = z.string().refine((url) => {
  const { protocol, pathname, search, hash, username } = URL.canParse(url) ? new URL(url) : {};
  const isBare = pathname === '/' && search === '' && hash === '' && username === '';
  return isBare && (protocol === 'http:' || protocol === 'https:');
}, 'a URL without path, as in https://pierone.example.org');
const networks = z
  .string()
  .transform((list) => list.split(',').map((item) => item.trim()))
  .transform((items) => items.filter((item) => item !== '').map(readNetwork))
  .refine(
    (list) => list.every((network) => network !== undefined),
    'a comma-separated list of addresses and networks, as in 10.0.0.0/8,192.0.2.7,2001:db8::/32',
  )
  .transform((list) => list.filter((network) => network !== undefined));

/** Undefined: it is none. */
function readNetwork(network: string) {
  const [address = '', bitsText, ...rest] = network.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const most = version === 6 ? 128 : 32;
  const bits = bitsText === undefined ? most : /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : -1;
  const family = version === 6 ? ('ipv6' as const) : ('ipv4' as const);
  return bits < 0 || bits > most ? undefined : { address, bits, family };
}

/** Every setting, by the name of its environment variable; the README's table is made from it. */
export const SETTINGS = {
  HTTP_HOST: setting(
    text,
    '127.0.0.1',
    'Address to listen on. Other addresses than loopback need access control, or HTTP_ALLOW_UNPROTECTED=true.',
  ),
  HTTP_PORT: setting(
    integer(0, 65535),
    '8080',
    'Port to listen on; 0 takes a free one and prints it.',
  ),
  HTTP_ALLOW_UNPROTECTED: setting(
    boolean,
    'false',
    'Listen on any address also without access control, although everyone who reaches it may pull and push.',
  ),
  HTTP_TRANSPORT: setting(
    z.enum(['uws', 'node'], 'uws or node').transform(orUnset),
    undefined,
    'What speaks HTTP: uws (uWebSockets.js), or node (node:http), which is slower and runs everywhere.',
    'uws where it can be loaded, else node',
  ),
  HTTP_TLS_CERT_FILE: setting(
    text.transform(orUnset),
    undefined,
    'PEM file of the certificate and those that lead to its authority: speaks HTTPS. A renewed file is picked up within seconds.',
  ),
  HTTP_TLS_KEY_FILE: setting(
    text.transform(orUnset),
    undefined,
    "PEM file of the certificate's key, without passphrase.",
  ),
  HTTP_EXTERNAL_URL: setting(
    origin.transform(orUnset),
    undefined,
    'URL by which clients reach the registry, where that is not where it listens.',
  ),
  HTTP_TRUSTED_PROXIES: setting(
    networks,
    '',
    'Addresses and networks of proxies, comma-separated, whose X-Forwarded-* or Forwarded headers are believed.',
  ),
  HTTP_IDLE_TIMEOUT: setting(
    integer(1, 3600),
    '60',
    'Seconds for which a transfer may be slower than HTTP_MIN_RATE before it is cut.',
  ),
  HTTP_MIN_RATE: setting(
    integer(1, 1_000_000_000),
    '1024',
    'Bytes a second that a client has to send or read while it is waited for.',
  ),
  ...ACCESS_SETTINGS,
  MGMT_HTTP_HOST: setting(text, '127.0.0.1', 'Address of the management port.'),
  MGMT_HTTP_PORT: setting(
    integer(0, 65535),
    '7979',
    'Port of Prometheus metrics (/metrics) and health (/health/live, /health/ready); 0 takes a free one and prints it.',
  ),
  DATABASE_URL: setting(
    databaseUrl.transform(orUnset),
    undefined,
    'PostgreSQL to use. Neither this nor DB_SUBNAME: an embedded PostgreSQL in STORAGE_DIRECTORY.',
  ),
  DB_SUBNAME: setting(
    subname.transform(orUnset),
    undefined,
    'PostgreSQL to use, in the form //host:port/database; with DB_USER and DB_PASSWORD.',
  ),
  DB_USER: setting(text, 'postgres', 'User for DB_SUBNAME.'),
  DB_PASSWORD: setting(z.string(), 'postgres', 'Password for DB_SUBNAME.'),
  DB_MAX_POOL: setting(
    integer(2, 1000),
    '10',
    'Most connections to PostgreSQL, besides one for locks, up to four for whole lists, and one for the migration at the start.',
  ),
  STORAGE_DIRECTORY: setting(
    text,
    'data',
    'Directory of the layers, unless there is a bucket, and of the embedded PostgreSQL. Several processes may share it.',
  ),
  ...S3_SETTINGS,
  MUTABLE_TAGS: setting(
    tagPatterns,
    '*-SNAPSHOT',
    'Tags that may be overwritten: names, comma-separated, * stands for any characters. What a tag may do is fixed when it is created.',
  ),
  MANIFEST_MAX_BYTES: setting(
    integer(1024, 64 * MIB),
    String(4 * MIB),
    'Largest manifest that is accepted.',
  ),
  UPLOAD_EXPIRATION_HOURS: setting(
    integer(1, 8760),
    '168',
    'Hours after which an unfinished upload is removed, counted from its last append that ended; one that nothing was sent to after 23 at most.',
  ),
  SWEEP_GRACE_HOURS: setting(
    integer(0, 8760),
    '24',
    'Hours that stored bytes which nothing names any more are kept.',
  ),
  SWEEP_INTERVAL: setting(
    integer(1, 86_400),
    '3600',
    'Seconds between two sweeps that remove expired uploads and what nothing names.',
  ),
  COMPACT_INTERVAL: setting(
    integer(1, 86_400),
    '60',
    'Seconds between two runs that make one object of each layer that was pushed in several; S3 only.',
  ),
  ...EVENT_SETTINGS,
  WORKER_THREADS: setting(
    integer(1, 256),
    String(Math.max(2, availableParallelism())),
    'Threads that hash and write pushed layers.',
    'number of cores, at least 2',
  ),
  BUFFER_MEMORY_MIB: setting(
    integer(4, 65536),
    '64',
    'Memory for bytes on their way from clients to the store, in MiB, for all uploads together.',
  ),
  BUFFER_MEMORY_PER_UPLOAD_MIB: setting(
    integer(2, 1024).transform(orUnset),
    undefined,
    'The same for one upload; on S3 at least one part.',
    '8 in a directory; on S3 48, at most BUFFER_MEMORY_MIB',
  ),
  START_TIMEOUT: setting(
    integer(0, 86_400),
    '300',
    'Seconds for which the start waits for PostgreSQL and S3 where they are not there yet; 0: it ends at once.',
  ),
  SHUTDOWN_TIMEOUT: setting(
    integer(0, 3600),
    '25',
    'Seconds that running requests get to end after SIGTERM or Ctrl-C; a second signal ends at once.',
  ),
  HTTP_ACCESS_LOG: setting(boolean, 'true', 'Logs a line for each request, at level info.'),
  SYSTEM_LOG_LEVEL: setting(
    z.enum(
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
      'one of trace, debug, info, warn, error, fatal',
    ),
    'info',
    'Least severity that is logged.',
  ),
} as const;

type SettingName = keyof typeof SETTINGS;
/** What the variables say, each read by its schema. */
export type Values = { [K in SettingName]: z.output<(typeof SETTINGS)[K]['schema']> };

/** Their values may hold a password, so no message shows them. */
export const SECRET_SETTINGS = new Set([
  'DATABASE_URL',
  'DB_SUBNAME',
  'DB_PASSWORD',
  ...ACCESS_SECRET_SETTINGS,
  ...EVENT_SECRET_SETTINGS,
  ...S3_SECRET_SETTINGS,
]);

/** The settings as rows, for `--help` and for the README. */
export function describeSettings(): { name: string; fallback: string; description: string }[] {
  return Object.entries<Setting<unknown>>(SETTINGS).map(([name, entry]) => ({
    name,
    fallback: entry.shownDefault ?? entry.fallback ?? '',
    description: entry.description,
  }));
}
