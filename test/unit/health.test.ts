import { describe, expect, test } from 'vitest';
import { Health } from '../../src/http/health.ts';

/** A health whose clock stands still, and whose one dependency answers what `answer` says. */
function open(timeoutMs = 60_000) {
  const scene = {
    nowMs: Date.UTC(2030, 0, 1),
    calls: 0,
    answer: (): Promise<unknown> => Promise.resolve(),
  };
  const health = new Health({
    checks: {
      database: () => {
        scene.calls += 1;
        return scene.answer();
      },
    },
    timeoutMs,
    now: () => scene.nowMs,
  });
  return { scene, health };
}

const refuse = () => Promise.reject(new Error('connection refused'));

describe('the status', () => {
  test('is starting, then ok, then draining', async () => {
    const { health } = open();
    expect((await health.report()).status).toBe('starting');
    health.enter('ok');
    expect((await health.report()).status).toBe('ok');
    health.enter('draining');
    expect((await health.report()).status).toBe('draining');
  });

  test('is down while a dependency is, and says which one, why and since when', async () => {
    const { health, scene } = open();
    health.enter('ok');
    scene.answer = refuse;
    const down = {
      status: 'down',
      since: '2030-01-01T00:00:00.000Z',
      reason: 'connection refused',
    };
    expect(await health.report()).toEqual({ status: 'down', dependencies: { database: down } });
    scene.nowMs += 5000;
    expect((await health.report()).dependencies).toEqual({ database: down });
    scene.answer = () => Promise.resolve();
    scene.nowMs += 5000;
    expect(await health.report()).toEqual({
      status: 'ok',
      dependencies: { database: { status: 'ok', since: '2030-01-01T00:00:10.000Z' } },
    });
  });

  test('does not depend on what is only seen', async () => {
    const { health } = open();
    health.enter('ok');
    health.expect('HTTP_TOKENINFO_URL');
    const before = await health.report();
    expect(before.dependencies).toMatchObject({ HTTP_TOKENINFO_URL: { status: 'unknown' } });
    health.saw('HTTP_TOKENINFO_URL', false);
    const after = await health.report();
    expect(after).toMatchObject({
      status: 'ok',
      dependencies: { HTTP_TOKENINFO_URL: { status: 'down', since: '2030-01-01T00:00:00.000Z' } },
    });
  });
});

describe('a dependency', () => {
  test('is asked once for all that ask within a second, and again after it', async () => {
    const { health, scene } = open();
    await Promise.all([health.report(), health.report(), health.report()]);
    scene.nowMs += 999;
    await health.report();
    expect(scene.calls).toBe(1);
    scene.nowMs += 1;
    await health.report();
    expect(scene.calls).toBe(2);
  });

  test('that does not answer is down after the time-out, and is asked four times at most meanwhile', async () => {
    const { health, scene } = open(5);
    let answerAll = () => {};
    const answered = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    scene.answer = () => answered;
    for (let probe = 0; probe < 6; probe += 1) {
      const { dependencies } = await health.report();
      expect(dependencies).toMatchObject({
        database: { status: 'down', reason: 'no answer within 5 ms' },
      });
      scene.nowMs += 1000;
    }
    expect(scene.calls).toBe(4);
    answerAll();
    await new Promise((resolve) => setImmediate(resolve));
    expect((await health.report()).dependencies).toMatchObject({ database: { status: 'ok' } });
  });
});
