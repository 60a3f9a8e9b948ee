import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PartBudget, PartCredit } from '../../src/workers/part-budget.ts';

const RULE = { partBytes: 8, maxBytes: 24 };

/** A credit that has begun, and how often it was granted more after it had been refused. */
async function begin(budget: PartBudget, expectedBytes?: number, rule = RULE) {
  const credit = new PartCredit(budget, rule, expectedBytes);
  await credit.begin();
  const grants = { count: 0 };
  const refusals: Error[] = [];
  credit.listen(
    () => {
      grants.count += 1;
    },
    (error) => refusals.push(error),
  );
  return { credit, grants, refusals };
}

/** What could be granted now. */
function roomIn(budget: PartBudget, limitBytes: number): number {
  let room = 0;
  while (room < limitBytes) {
    const takeBack = budget.request(1, { onGrant: () => {}, onRefusal: () => {} });
    if (takeBack) {
      takeBack();
      break;
    }
    room += 1;
  }
  budget.give(room);
  return room;
}

describe('one append', () => {
  test('receives a part, then another while the store has the first', async () => {
    const budget = new PartBudget(16, 0);
    const { credit, grants } = await begin(budget);
    credit.receive(8);
    expect(credit.ask()).toBe(true);
    credit.receive(8);
    expect(credit.ask()).toBe(false);
    credit.spend(8);
    expect([credit.ask(), grants.count]).toEqual([true, 1]);
  });

  test('has no more than its own limit, and may ask again when the store has some of it', async () => {
    const { credit } = await begin(new PartBudget(100, 0));
    for (let part = 0; part < 3; part += 1) {
      expect(credit.ask()).toBe(true);
      credit.receive(8);
    }
    expect(credit.ask()).toBe(false);
    credit.spend(7);
    expect(credit.ask()).toBe(false);
    credit.spend(1);
    expect(credit.ask()).toBe(true);
  });

  test('is granted a part that is larger than all memory, and than its own limit', async () => {
    const { credit } = await begin(new PartBudget(4, 0), undefined, { partBytes: 8, maxBytes: 2 });
    credit.receive(8);
    expect(credit.ask()).toBe(false);
    credit.spend(8);
    expect(credit.ask()).toBe(true);
  });

  test('is granted no more than its body still has', async () => {
    const budget = new PartBudget(20, 0);
    const { credit } = await begin(budget, 10);
    expect(roomIn(budget, 20)).toBe(12);
    credit.receive(8);
    expect(credit.ask()).toBe(true);
    expect(roomIn(budget, 20)).toBe(10);
    credit.receive(2);
    expect(credit.ask()).toBe(true);
  });

  test('counts a chunk that had been read before it was stopped into its next grant', async () => {
    const budget = new PartBudget(16, 0);
    const { credit } = await begin(budget);
    credit.receive(11);
    expect(credit.ask()).toBe(true);
    credit.receive(5);
    expect(credit.ask()).toBe(false);
  });

  test('gives back all it holds at its end, once', async () => {
    const budget = new PartBudget(16, 0);
    const { credit } = await begin(budget);
    credit.receive(11);
    credit.ask();
    credit.spend(8);
    credit.close();
    credit.close();
    expect(roomIn(budget, 16)).toBe(16);
  });
});

describe('several appends', () => {
  test('are granted memory in the order in which they asked', async () => {
    const budget = new PartBudget(16, 0);
    const first = await begin(budget);
    const second = await begin(budget);
    first.credit.receive(8);
    second.credit.receive(8);
    expect([second.credit.ask(), first.credit.ask()]).toEqual([false, false]);
    first.credit.spend(8);
    expect([first.grants.count, second.grants.count]).toEqual([0, 1]);
    second.credit.spend(8);
    expect([first.grants.count, second.grants.count]).toEqual([1, 1]);
  });

  test('leave room for what each of them holds beyond its grant, up to half of the memory', async () => {
    const budget = new PartBudget(32, 4);
    const first = await begin(budget);
    expect(roomIn(budget, 32)).toBe(20);
    const others = [1, 2, 3, 4, 5].map(() => new PartCredit(budget, RULE, undefined));
    expect(roomIn(budget, 32)).toBe(8);
    for (const other of others) other.close();
    first.credit.close();
    expect(roomIn(budget, 32)).toBe(32);
  });

  test('a small request does not pass a large one that waits', async () => {
    const budget = new PartBudget(16, 0);
    const { credit } = await begin(budget, 12, { partBytes: 12, maxBytes: 12 });
    const order: string[] = [];
    void begin(budget).then(() => order.push('large'));
    void begin(budget, 1).then(() => order.push('small'));
    await Promise.resolve();
    credit.close();
    await vi.waitFor(() => expect(order).toEqual(['large', 'small']));
  });

  test('what was asked for by one that has ended is granted to the next', async () => {
    const budget = new PartBudget(8, 0);
    const first = await begin(budget);
    const second = new PartCredit(budget, RULE, undefined);
    const third = new PartCredit(budget, RULE, undefined);
    void second.begin();
    const begun = third.begin();
    second.close();
    first.credit.close();
    await begun;
    expect(third.ask()).toBe(true);
  });
});

test('those that wait are refused when the store fails, and may be granted nothing any more', async () => {
  const budget = new PartBudget(8, 0);
  const first = await begin(budget);
  first.credit.receive(8);
  const unbegun = new PartCredit(budget, RULE, undefined);
  const beginning = unbegun.begin();
  expect(first.credit.ask()).toBe(false);
  const error = new Error('gone');
  budget.refuseWaiting(error);
  await expect(beginning).rejects.toBe(error);
  expect(first.refusals).toEqual([error]);
  first.credit.close();
  unbegun.close();
  expect([roomIn(budget, 8), first.grants.count]).toEqual([8, 0]);
});

describe('a slow append', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test('is overdue only while others wait, and gives back what it did not use', async () => {
    const budget = new PartBudget(8, 0);
    const slow = await begin(budget);
    slow.credit.receive(3);
    vi.setSystemTime(Date.now() + 60_000);
    expect(slow.credit.isOverdue).toBe(false);
    const waiting = new PartCredit(budget, { partBytes: 5, maxBytes: 5 }, undefined);
    const begun = waiting.begin();
    expect(slow.credit.isOverdue).toBe(true);
    slow.credit.yield();
    await begun;
    expect(slow.credit.ask()).toBe(false);
    slow.credit.spend(3);
    waiting.close();
    expect([slow.grants.count, slow.credit.ask()]).toEqual([1, true]);
  });

  test('is not overdue when it has just been granted a part', async () => {
    const budget = new PartBudget(8, 0);
    const { credit } = await begin(budget);
    void new PartCredit(budget, RULE, undefined).begin();
    expect(credit.isOverdue).toBe(false);
  });
});
