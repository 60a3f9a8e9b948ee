import { z } from 'zod';
import type { Context } from '../../context.ts';
import { endpoint } from '../endpoint.ts';
import { PAGE, readPage } from '../paging.ts';
import { GROUP, NOTHING, partsOf, time } from '../schemas.ts';

const FAILED_PAGE = 100;

type Deliveries = Context['parts']['deliveries'];
type Sink = Awaited<ReturnType<Deliveries['sinks']>>[number];
type Failed = Awaited<ReturnType<Deliveries['listFailed']>>[number];

export const sinkSchema = z.object({
  name: z.string(),
  description: z.string().nullable().describe('Null: the configuration no longer has it.'),
  pending: z.number().int().describe('Events that wait for their delivery.'),
  oldest: time.nullable().describe('When the first of them happened.'),
  parked: z.number().int().describe('Events that are tried no more.'),
  last_success: time.nullable(),
  last_failure: time.nullable(),
  last_error: z.string().nullable().describe('Why the last delivery failed that did.'),
});

export const failedDeliverySchema = z.object({
  id: z.string().describe('Of the event: the same in each delivery.'),
  sink: z.string(),
  kind: z.string(),
  team: z.string().nullable(),
  artifact: z.string().nullable(),
  tag: z.string().nullable(),
  happened: time,
  attempts: z.number().int(),
  error: z.string().describe('Why the last attempt failed.'),
  next_attempt: time.nullable().describe('Null: at once, or never, if it is parked.'),
  parked: time.nullable().describe('Since when it is tried no more.'),
});

export const deliveriesSchema = z.object({
  sinks: z.array(sinkSchema),
  failed: z
    .array(failedDeliverySchema)
    .describe('Events whose delivery failed at least once, oldest first: a page of them.'),
});

export const listDeliveries = endpoint({
  id: 'listDeliveries',
  group: GROUP.api,
  summary: 'Where events are delivered to, what waits, and what can not be delivered.',
  method: 'GET',
  template: '/events/deliveries',
  access: 'authenticated',
  path: NOTHING,
  query: z.object(PAGE),
  answer: deliveriesSchema,
  async handle({ context, query }) {
    const { deliveries } = context.parts;
    const { items: failed, headers } = await readPage(
      context,
      query,
      {
        // The database's ids have 64 bits.
        key: z.string().regex(/^\d{1,18}$/),
        keyOf: ({ id }: Failed) => id,
        show: showFailed,
        read: ({ after, limit = FAILED_PAGE }) => onlyBatch(deliveries.listFailed(after, limit)),
      },
      FAILED_PAGE,
    );
    return { body: { sinks: (await deliveries.sinks()).map(showSink), failed }, headers };
  },
});

async function* onlyBatch<T>(rows: Promise<T[]>): AsyncGenerator<readonly T[], void, undefined> {
  yield await rows;
}

function showSink({ description, state }: Sink): z.input<typeof sinkSchema> {
  return {
    name: state.sink,
    description: description ?? null,
    pending: state.pending,
    oldest: state.oldest?.toISOString() ?? null,
    parked: state.parked,
    last_success: state.lastSuccess?.toISOString() ?? null,
    last_failure: state.lastFailure?.toISOString() ?? null,
    last_error: state.lastError ?? null,
  };
}

function showFailed(delivery: Failed): z.input<typeof failedDeliverySchema> {
  const { event } = delivery;
  return {
    id: event.id,
    sink: delivery.sink,
    kind: event.kind,
    ...(event.repository ? partsOf(event.repository) : { team: null, artifact: null }),
    tag: event.tag ?? null,
    happened: event.happened.toISOString(),
    attempts: delivery.attempts,
    error: delivery.error,
    next_attempt: delivery.nextAttempt?.toISOString() ?? null,
    parked: delivery.parked?.toISOString() ?? null,
  };
}
