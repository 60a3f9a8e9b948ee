// An identity provider, team service, Kio and verifier of machines on this machine, for trying Pier One out: --help.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { type IdentityProvider, startIdentityProvider } from '../test/support/identity-provider.ts';

const HELP = `usage: npm run identity-provider -- [--port PORT] [--lifetime SECONDS] [--registry HOST:PORT]

Starts an identity provider with a team service on 127.0.0.1, and prints tokens to try Pier One with, how to start Pier
One, and how to log in. It forgets everything when it ends, by Ctrl-C or SIGTERM. Anyone on this machine can
have its tokens: it is for trying out, and protects nothing.

  --port PORT           port to listen on (9000)
  --host NAME           listen on every address, and be called so by Pier One, as in a network of containers (127.0.0.1)
  --lifetime SECONDS    until the tokens expire (86400)
  --registry HOST:PORT  where Pier One will be, for the lines of docker login (127.0.0.1:8080)
  --help                this text
`;

/** For the password and client credentials grants, and for introspection; known to every reader of this. */
const PASSWORD = 'try-out';
const MAX_PORT = 65_535;

const EMPLOYEES = [
  { uid: 'jdoe', teams: ['acme'], note: 'employee of acme' },
  { uid: 'mallory', teams: ['other'], note: 'employee of another team' },
];

const SERVICES = [
  { uid: 'stups_reader', scopes: ['uid'], note: 'service of acme without a scope to push' },
  {
    uid: 'stups_robot',
    scopes: ['uid', 'application.write'],
    note: 'service of acme, application.write',
  },
  {
    uid: 'stups_builder',
    scopes: ['uid', 'application.write_all'],
    note: 'service, application.write_all: pushes for any team',
  },
  {
    uid: 'stups_trusted',
    scopes: ['uid', 'application.write_all_trusted'],
    note: 'service, application.write_all_trusted: may send X-SCM-Source too',
  },
];

interface Options {
  readonly port: number;
  readonly host: string | undefined;
  readonly lifetimeSeconds: number;
  readonly registry: string;
}

/** @throws Error with a sentence for the terminal; undefined when help is wanted */
function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '9000' },
      host: { type: 'string' },
      lifetime: { type: 'string', default: '86400' },
      registry: { type: 'string', default: '127.0.0.1:8080' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    port: readNumber('--port', values.port, MAX_PORT),
    host: values.host,
    lifetimeSeconds: readNumber('--lifetime', values.lifetime, Number.MAX_SAFE_INTEGER),
    registry: values.registry,
  };
}

function readNumber(name: string, text: string, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max)
    throw new Error(`${name} wants a number from 1 to ${max}, not ${text}`);
  return value;
}

function populate(provider: IdentityProvider): void {
  for (const { uid, teams } of EMPLOYEES) provider.addEmployee({ uid, teams, password: PASSWORD });
  provider.logins.sitDown(provider.principal('jdoe'));
  for (const { uid, scopes } of SERVICES) {
    provider.addService({ uid, team: 'acme', scopes, secret: PASSWORD });
  }
}

async function describe(provider: IdentityProvider, options: Options): Promise<string> {
  const { registry, lifetimeSeconds } = options;
  const tokens = [...EMPLOYEES, ...SERVICES].map(({ uid, note }) => ({
    uid,
    note,
    // Easy to select and to paste, also into a URL.
    token: provider.issueToken(uid, { lifetimeSeconds, token: randomBytes(16).toString('hex') }),
  }));
  const employee = tokens[0]?.token ?? '';
  const exp = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  const claims = { sub: 'jdoe', realm: 'employees', scope: 'uid', teams: ['acme'], exp };
  const settings = Object.entries(provider.environment);
  return `Identity provider at ${provider.issuer}

Start Pier One in another terminal:

${settings.map(([name, value]) => `  ${name}=${value} \\`).join('\n')}
  npm start

Tokens, valid for ${lifetimeSeconds} seconds:

${tokens.map(({ uid, note, token }) => `  ${uid.padEnd(14)} ${token}  ${note}`).join('\n')}

Log in as the employee, and push to the team:

  echo '${employee}' | docker login -u oauth2 --password-stdin ${registry}
  docker push ${registry}/acme/hello:1.0

Or by the command of Pier One, in a browser, where the employee is logged in already:

  PIERONE_OIDC_ISSUER=${provider.issuer} pierone login --url http://${registry} --browser

The document of a machine, which may pull:

  docker login -u instance-identity-document --password-stdin ${registry} << 'END'
${provider.addInstance()}
END

A JWT of the employee, for the issuer ${provider.issuer} and the audience ${provider.audience}:

  ${await provider.mintJwt(claims)}

A fresh token of a service (OAUTH2_ACCESS_TOKEN_URL=${provider.urlOf('token')}):

  curl -u stups_robot:${PASSWORD} -d grant_type=client_credentials ${provider.urlOf('token')}

Introspection at ${provider.urlOf('introspection')}, for the client ${provider.client.id} with the secret ${provider.client.secret}.
Ctrl-C ends.
`;
}

/** Resolves with the first signal. */
function onStopSignal(): Promise<unknown> {
  return Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(HELP);
    return;
  }
  const stopping = onStopSignal();
  const client = { id: 'pierone', secret: PASSWORD };
  const provider = await startIdentityProvider({ port: options.port, host: options.host, client });
  populate(provider);
  process.stdout.write(await describe(provider, options));
  await stopping;
  await provider.close();
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
