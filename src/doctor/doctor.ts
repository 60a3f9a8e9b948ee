import { type Config, ConfigError, readConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { checkAccess } from './check-access.ts';
import { checkDatabase } from './check-database.ts';
import { checkListening } from './check-listening.ts';
import { checkMachine } from './check-machine.ts';
import { checkSinks } from './check-sinks.ts';
import { checkStore } from './check-store.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

export type { Finding } from './finding.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Looks at everything that a server with this environment would need, and changes nothing of it: no migration runs, no
 * store is claimed, no database is made. What S3 allows is tried with objects that are removed again.
 */
export async function* examineServer(environment: Environment): AsyncGenerator<Finding> {
  const config = yield* checkConfiguration(environment);
  if (!config) return;
  yield* checkListening(config);
  const database = yield* checkDatabase(config);
  yield* checkStore(config, database);
  yield* checkAccess(config.access, createLog('silent'));
  yield* checkSinks(config.events);
  yield* checkMachine(config);
}

function* checkConfiguration(environment: Environment): Generator<Finding, Config | undefined> {
  const check = 'configuration';
  try {
    const config = readConfig(environment);
    yield ok(check, 'every variable can be read, and they fit together');
    for (const notice of config.notices) yield warning(check, notice);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const sentence of error.problems) yield problem(check, sentence);
    return undefined;
  }
}
