import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { HttpClient } from '../test/support/http-client.ts';
import { expectStatus, putManifest } from '../test/support/sample-content.ts';
import type { Figure } from './figure.ts';
import { measureGets } from './requests.ts';
import { SMALL, type Subject, TAGGED } from './scene.ts';

const LIST = z.object({ tags: z.array(z.string()) });
const PATH = `/v2/${TAGGED}/tags/list?n=100`;

/**
 * Lists 100 tags again and again. Meanwhile the second instance is given tags of another repository, each of which
 * must be in the first instance's next list.
 */
export async function measureLists(subject: Subject, seconds: number): Promise<Figure> {
  const api = new HttpClient(subject.registry.url);
  const { body } = await expectStatus(api.send('GET', PATH), 200);
  const end = new AbortController();
  const checks = checkFreshness(subject, end.signal);
  try {
    return await measureGets(subject, { path: PATH, body }, seconds, 'autocannon');
  } finally {
    end.abort();
    await checks;
  }
}

async function checkFreshness(subject: Subject, signal: AbortSignal): Promise<void> {
  const { registry, second = registry, content } = subject;
  const [reader, writer] = [new HttpClient(registry.url), new HttpClient(second.url)];
  while (!signal.aborted) {
    const tag = `fresh-${randomBytes(6).toString('hex')}`;
    await expectStatus(putManifest(writer, SMALL, tag, content.image), 201);
    const answer = await expectStatus(reader.send('GET', `/v2/${SMALL}/tags/list`), 200);
    const { tags } = LIST.parse(JSON.parse(answer.body.toString()));
    if (!tags.includes(tag)) throw new Error(`${subject.name} did not list the new tag ${tag}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
