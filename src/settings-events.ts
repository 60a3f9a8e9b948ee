import { integer, orUnset, setting, text } from './setting.ts';
import { SINK_SECRET_SETTINGS, SINK_SETTINGS } from './settings-sinks.ts';

/** Where events go, and how. */
export const EVENT_SETTINGS = {
  OUTBOX_DELIVERY_TIMEOUT: setting(
    integer(1, 600),
    '30',
    'Seconds after which the delivery of an event has failed, and is tried again.',
  ),
  OUTBOX_CONCURRENCY: setting(
    integer(1, 256),
    '8',
    'Repositories whose events are delivered to one sink at the same time; those of one go one after the other.',
  ),
  OUTBOX_PARK_AFTER: setting(
    integer(1, 31_536_000),
    '86400',
    'Seconds after which an event that can not be delivered is parked: it is tried no more, and those behind it go on.',
  ),
  OUTBOX_KEEP_PARKED_HOURS: setting(
    integer(0, 8760),
    '168',
    'Hours that parked events are kept, and shown by GET /events/deliveries.',
  ),
  ...SINK_SETTINGS,
  WEBHOOKS_FILE: setting(
    text.transform(orUnset),
    undefined,
    'JSON file of webhooks, to which events are sent; docs/webhooks.md describes it. Read at the start.',
  ),
} as const;

/** Their values may hold a credential, so no message shows them. */
export const EVENT_SECRET_SETTINGS: readonly string[] = [...SINK_SECRET_SETTINGS];
