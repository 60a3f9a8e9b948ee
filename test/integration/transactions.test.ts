import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { MetadataUnavailable } from '../../src/meta/metadata-store.ts';
import { Database } from '../../src/meta/pg/database.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { createDatabase } from '../support/test-registry.ts';

const ADD = { name: 'add', text: 'insert into numbers (number) values ($1)' };
const COUNT = { name: 'count', text: 'select count(*)::int as count from numbers' };
const KILL = { name: 'kill', text: 'select pg_terminate_backend(pg_backend_pid())' };

let postgres: TestPostgres;
let database: Database;

beforeAll(async () => {
  postgres = await startPostgres();
});

beforeEach(async () => {
  const url = await createDatabase(postgres.url);
  database = new Database({ url, maxConnections: 2, onIdleError: () => undefined });
  const text = 'create table numbers (number integer primary key check (number > 0))';
  await database.query({ name: '', text }, []);
  return () => database.close();
});

afterAll(() => postgres?.stop());

async function count(): Promise<number | undefined> {
  return (await database.query<{ count: number }>(COUNT, []))[0]?.count;
}

test('statements that are sent are there for the one that is waited for', async () => {
  const seen = await database.transaction(async (query) => {
    for (let number = 1; number <= 20; number += 1) query.send(ADD, [number]);
    return query.query(COUNT, []);
  });
  expect(seen).toEqual([{ count: 20 }]);
  expect(await count()).toBe(20);
});

test('the error of a statement that was sent last is that of the transaction, and nothing is left', async () => {
  const failed = database.transaction(async (query) => {
    await query.query(ADD, [1]);
    query.send(ADD, [2]);
    query.send(ADD, [-1]);
    query.send(ADD, [3]);
  });
  await expect(failed).rejects.toThrow('numbers_number_check');
  expect(await count()).toBe(0);
});

test('it is told by the next one that is waited for', async () => {
  const failed = database.transaction(async (query) => {
    query.send(ADD, [-1]);
    await query.query(COUNT, []);
    throw new Error('it went on');
  });
  await expect(failed).rejects.toThrow('numbers_number_check');
});

test('what was sent before a rollback is rolled back', async () => {
  const result = await database.transaction<string>(async (query, rollback) => {
    await query.query(COUNT, []);
    query.send(ADD, [1]);
    return rollback('not now');
  });
  expect(result).toBe('not now');
  expect(await count()).toBe(0);
});

test('a connection that is lost with statements under way is one error, and the next transaction has another', async () => {
  const failed = database.transaction(async (query) => {
    query.send(ADD, [1]);
    query.send(KILL, []);
    query.send(ADD, [2]);
  });
  await expect(failed).rejects.toThrow(MetadataUnavailable);
  expect(await count()).toBe(0);
  await database.transaction(async (query) => query.send(ADD, [1]));
  expect(await count()).toBe(1);
});
