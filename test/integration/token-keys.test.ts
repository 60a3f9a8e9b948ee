import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Identity, IdentityUnavailable, InvalidCredential } from '../../src/auth/identity.ts';
import { RegistryTokens } from '../../src/auth/registry-token.ts';
import { SharedTokenKeys } from '../../src/auth/shared-token-keys.ts';
import { createLog } from '../../src/log.ts';
import type { MetadataStore } from '../../src/meta/metadata-store.ts';
import { migrate } from '../../src/meta/pg/migrate.ts';
import { openPgMetadataStore } from '../../src/meta/pg/pg-metadata-store.ts';
import type { TokenKeyRecords } from '../../src/meta/records/token-key-records.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { createDatabase, sql } from '../support/test-registry.ts';
import { waitUntil } from '../support/wait-until.ts';

/*
 * The keys of registry tokens in PostgreSQL, as several instances use them. Time passes for the database when `age`
 * shifts the column created, and for an instance when its clock is set.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const ALICE: Identity = { principal: { uid: 'alice' }, kind: 'oauth', scopes: new Set() };

let postgres: TestPostgres;
let databaseUrl: string;
let stores: MetadataStore[];

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  databaseUrl = await createDatabase(postgres.url);
  await migrate(databaseUrl);
  stores = [];
});

afterEach(() => Promise.all(stores.map((store) => store.close())));

afterAll(() => postgres?.stop());

/** One instance of the registry, with connections of its own. */
class Instance {
  readonly keys: SharedTokenKeys;
  readonly tokens: RegistryTokens;
  elapsedMs = 0;
  /** Times that it has read the keys. */
  reads = 0;

  constructor(reloadMs = HOUR_MS) {
    const store = openPgMetadataStore({
      url: databaseUrl,
      maxConnections: 5,
      isMutableTag: () => false,
      onConnectionLost: () => undefined,
    });
    stores.push(store);
    const counting: TokenKeyRecords = {
      list: () => {
        this.reads += 1;
        return store.tokenKeys.list();
      },
      addIfDue: (secret, afterMs) => store.tokenKeys.addIfDue(secret, afterMs),
      removeOutlived: (ageMs) => store.tokenKeys.removeOutlived(ageMs),
    };
    this.keys = new SharedTokenKeys({
      records: counting,
      log: createLog('silent'),
      elapsedMs: () => this.elapsedMs,
      reloadMs,
    });
    this.tokens = new RegistryTokens({ keys: this.keys, registryId: 'r', service: 's' });
  }

  async issue(): Promise<string> {
    return (await this.tokens.issue(ALICE, [], [])).token;
  }

  async signingId(): Promise<string> {
    return (await this.keys.signingKey()).id;
  }

  /** As a minute later: whatever it asks for that it doesn't know makes it read again. */
  async readAgain(): Promise<void> {
    this.elapsedMs += MINUTE_MS;
    await this.keys.findKey('unknown');
  }
}

/** Makes every key so much older. */
async function age(ms: number): Promise<void> {
  await sql(databaseUrl, `update token_keys set created = created - ${ms} * interval '1 ms'`);
}

async function keyIds(): Promise<string[]> {
  const rows = await sql<{ id: string }>(databaseUrl, 'select id from token_keys order by number');
  return rows.map(({ id }) => id);
}

test('instances that start at the same time make one key, and accept each other', async () => {
  const instances = Array.from({ length: 5 }, () => new Instance());
  const issued = await Promise.all(instances.map((instance) => instance.issue()));
  expect(await keyIds()).toHaveLength(1);
  for (const { tokens } of instances) {
    for (const token of issued) expect((await tokens.verify(token)).principal.uid).toBe('alice');
  }
});

test('an instance that comes later accepts tokens that are there, and signs with the same key', async () => {
  const first = new Instance();
  const token = await first.issue();
  const second = new Instance();
  await second.tokens.verify(token);
  expect(await second.signingId()).toBe(await first.signingId());
});

test('registries with databases of their own do not accept each other', async () => {
  const token = await new Instance().issue();
  databaseUrl = await createDatabase(postgres.url);
  await migrate(databaseUrl);
  await expect(new Instance().tokens.verify(token)).rejects.toThrow(InvalidCredential);
});

describe('after a day', () => {
  test('one new key is made, however many instances find that it is time', async () => {
    const instances = Array.from({ length: 5 }, () => new Instance());
    await Promise.all(instances.map((instance) => instance.signingId()));
    await age(24 * HOUR_MS);
    await Promise.all(instances.map((instance) => instance.readAgain()));
    await Promise.all(instances.map((instance) => instance.readAgain()));
    expect(await keyIds()).toHaveLength(2);
  });

  test('no key is made before', async () => {
    const instance = new Instance();
    await instance.signingId();
    await age(24 * HOUR_MS - 10 * MINUTE_MS);
    await instance.readAgain();
    expect(await keyIds()).toHaveLength(1);
  });

  test('the new key is known to all before it signs, and no token is refused meanwhile', async () => {
    const [first, second] = [new Instance(), new Instance()];
    const old = await first.signingId();
    await second.signingId();
    await age(24 * HOUR_MS);
    await first.readAgain();
    const [, young = ''] = await keyIds();
    expect([await first.signingId(), await second.signingId()]).toEqual([old, old]);
    // The second one hasn't read since.
    await second.tokens.verify(await first.issue());
    await second.readAgain();
    const { reads } = second;
    first.elapsedMs += 6 * MINUTE_MS;
    expect(await first.signingId()).toBe(young);
    expect(await second.signingId()).toBe(old);
    await second.tokens.verify(await first.issue());
    await first.tokens.verify(await second.issue());
    expect(second.reads).toBe(reads);
  });

  test('an instance that missed the new key learns of it from a token', async () => {
    const [first, second] = [new Instance(), new Instance()];
    await first.signingId();
    await second.signingId();
    await age(24 * HOUR_MS);
    await first.readAgain();
    first.elapsedMs += 6 * MINUTE_MS;
    second.elapsedMs += 2_000;
    await second.tokens.verify(await first.issue());
  });

  test('a key goes when its successor is 25 hours old', async () => {
    const instance = new Instance();
    await instance.signingId();
    await age(24 * HOUR_MS);
    await instance.readAgain();
    const [old, next] = await keyIds();
    await age(24 * HOUR_MS);
    await instance.readAgain();
    expect((await keyIds()).slice(0, 2)).toEqual([old, next]);
    await age(HOUR_MS);
    await instance.readAgain();
    const left = await keyIds();
    expect([left[0], left.length]).toEqual([next, 2]);
    expect(await instance.signingId()).toBe(left[1]);
  });

  test('an instance that was away for weeks goes on', async () => {
    const token = await new Instance().issue();
    await age(30 * 24 * HOUR_MS);
    const instance = new Instance();
    await instance.tokens.verify(token);
    await instance.tokens.verify(await instance.issue());
    expect(await keyIds()).toHaveLength(2);
  });
});

test('ids that nobody knows make an instance read once a second', async () => {
  const instance = new Instance();
  await instance.signingId();
  const before = instance.reads;
  instance.elapsedMs += 1_000;
  await Promise.all(Array.from({ length: 100 }, (_, i) => instance.keys.findKey(`unknown-${i}`)));
  expect(await instance.keys.findKey('unknown')).toBeUndefined();
  expect(instance.reads).toBe(before + 1);
  instance.elapsedMs += 1_000;
  expect(await instance.keys.findKey('unknown')).toBeUndefined();
  expect(instance.reads).toBe(before + 2);
});

test('an instance reads the keys by itself, and makes the new one when it is time', async () => {
  const instance = new Instance(20);
  await instance.signingId();
  await age(24 * HOUR_MS);
  instance.keys.start();
  await waitUntil('a second key', async () => (await keyIds()).length === 2);
  await instance.keys.close();
});

test('a closed instance reads no more by itself, and may be closed again', async () => {
  const instance = new Instance(20);
  instance.keys.start();
  const signing = instance.signingId();
  await instance.keys.close();
  await instance.keys.close();
  expect(await signing).toBe((await keyIds())[0]);
  const { reads } = instance;
  await delay(100);
  expect(instance.reads).toBe(reads);
});

describe('without database', () => {
  let isDown = false;

  const shutDown = async () => {
    isDown = true;
    await postgres.shutDown();
  };
  const startAgain = async () => {
    if (isDown) await postgres.start();
    isDown = false;
  };

  afterEach(startAgain);

  test('tokens are signed and verified for a day, then that is a matter of the database', async () => {
    const instance = new Instance();
    const token = await instance.issue();
    await shutDown();
    instance.elapsedMs += 24 * HOUR_MS - 1;
    await instance.tokens.verify(token);
    await instance.tokens.verify(await instance.issue());
    instance.elapsedMs += 1;
    await expect(instance.issue()).rejects.toThrow(IdentityUnavailable);
    await startAgain();
    instance.elapsedMs += 1_000;
    await instance.tokens.verify(await instance.issue());
  });

  test('a token of a key that may be new is not called invalid, and waiting is not the answer', async () => {
    const [instance, other] = [new Instance(), new Instance()];
    await instance.signingId();
    instance.elapsedMs += MINUTE_MS;
    await shutDown();
    await expect(instance.keys.findKey('unknown')).rejects.toThrow(IdentityUnavailable);
    const { reads } = instance;
    await expect(instance.keys.findKey('unknown')).rejects.toThrow(IdentityUnavailable);
    expect(instance.reads).toBe(reads);
    await expect(other.issue()).rejects.toThrow('DATABASE_URL');
  });
});
