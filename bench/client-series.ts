import { rm } from 'node:fs/promises';
import type { ClientScene, ClientSubject, NamedClient } from './client-scene.ts';
import {
  CLIENT_WORKS,
  type ClientFigure,
  type ClientTask,
  type ClientWork,
  type ImageKind,
  measure,
  openTask,
} from './client-works.ts';

/** What all runs of a work gave. */
export interface Series {
  readonly client: NamedClient;
  readonly kind: ImageKind;
  readonly work: ClientWork;
  readonly figures: { readonly ours: ClientFigure[]; readonly peer: ClientFigure[] };
}

/** All works of one client with one kind of image, in their order. */
export type Group = readonly Series[];

const WARM_UP: ImageKind = { id: 'warm-up', layers: 5, layerMib: 1 };

export function makeGroup(
  client: NamedClient,
  kind: ImageKind,
  works: readonly ClientWork[],
): Group {
  return works.map((work) => ({ client, kind, work, figures: { ours: [], peer: [] } }));
}

/** Has a client do all at each registry, with a small image, and forgets what it took. */
export async function warmUp(scene: ClientScene, client: NamedClient): Promise<void> {
  const works = CLIENT_WORKS.filter(({ needsColdServer }) => !needsColdServer);
  await runGroup(scene, makeGroup(client, WARM_UP, works), scene.subjects, () => undefined);
}

/** Each work at all subjects before the next one. */
export async function runGroup(
  { workspace }: ClientScene,
  group: Group,
  order: readonly ClientSubject[],
  tell: (series: Series, name: ClientSubject['name'], figure: ClientFigure) => void,
): Promise<void> {
  const [first] = group;
  if (!first) return;
  const tasks: ClientTask[] = [];
  for (const subject of order) {
    tasks.push(await openTask(workspace, subject, first.client, first.kind));
  }
  for (const series of group) {
    for (const task of tasks) {
      const { name } = task.subject;
      const figure = await measure(series.work, task);
      series.figures[name].push(figure);
      tell(series, name, figure);
    }
  }
  for (const task of tasks) await closeTask(task);
}

async function closeTask({ client, image, reference }: ClientTask): Promise<void> {
  await client.client.forget(reference);
  await rm(image.directory, { recursive: true });
}
