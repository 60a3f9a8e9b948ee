import { type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import {
  makeStorage,
  type RegistryOptions,
  type StorageDirectory,
  sharedDatabase,
  startRegistry,
  type TestDatabase,
  type TestRegistry,
} from './test-registry.ts';

export const APP = 'acme/app';

/** A database, a directory and an identity provider, for registries with access control. */
export interface AccessScene {
  readonly provider: IdentityProvider;
  readonly database: TestDatabase;
  /** Ends with the scene. */
  start(
    environment?: Readonly<Record<string, string>>,
    options?: Pick<RegistryOptions, 'onLogLine' | 'overrides'>,
  ): Promise<TestRegistry>;
  /** The same, without the settings of the identity provider. */
  startWith(environment: Readonly<Record<string, string>>): Promise<TestRegistry>;
  close(): Promise<void>;
}

/** @param own a database that isn't shared; the caller ends it, after the scene */
export async function openAccessScene(own?: TestDatabase): Promise<AccessScene> {
  const [provider, database, storage] = await Promise.all([
    startIdentityProvider(),
    own ?? sharedDatabase(),
    makeStorage(),
  ]);
  provider.addEmployee({ uid: 'alice', teams: ['acme'] });
  provider.addEmployee({ uid: 'eve', teams: ['evil'] });
  provider.addService({ uid: 'stups_robot', scopes: ['application.write_all'] });
  return new Scene(provider, database, storage);
}

class Scene implements AccessScene {
  readonly provider: IdentityProvider;
  readonly database: TestDatabase;
  readonly #storage: StorageDirectory;
  readonly #registries: TestRegistry[] = [];

  constructor(provider: IdentityProvider, database: TestDatabase, storage: StorageDirectory) {
    this.provider = provider;
    this.database = database;
    this.#storage = storage;
  }

  start(
    environment: Readonly<Record<string, string>> = {},
    options: Pick<RegistryOptions, 'onLogLine' | 'overrides'> = {},
  ): Promise<TestRegistry> {
    return this.startWith({ ...this.provider.environment, ...environment }, options);
  }

  async startWith(
    environment: Readonly<Record<string, string>>,
    options: Pick<RegistryOptions, 'onLogLine' | 'overrides'> = {},
  ): Promise<TestRegistry> {
    const registry = await startRegistry({
      databaseUrl: this.database.url,
      directory: this.#storage.path,
      environment,
      ...options,
    });
    this.#registries.push(registry);
    return registry;
  }

  async close(): Promise<void> {
    await Promise.all(this.#registries.map((registry) => registry.close()));
    await this.#storage.remove();
    await this.provider.close();
  }
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { Authorization: `Bearer ${token}` };
}

export function basic(user: string, password: string): Readonly<Record<string, string>> {
  return { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
