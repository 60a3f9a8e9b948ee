import type { Access, Caller } from '../auth/access.ts';
import type { RegistryTokens } from '../auth/registry-token.ts';
import type { Deliveries } from '../events/deliveries.ts';
import type { AccessLog, Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Blobs } from '../registry/blobs.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Manifests } from '../registry/manifests.ts';
import type { TagReports } from '../registry/tag-reports.ts';
import type { Uploads } from '../registry/uploads.ts';
import type { Exchange } from './exchange.ts';
import type { Gate } from './gate.ts';
import type { KeptAnswers } from './kept-answers.ts';
import type { Proxies } from './proxies.ts';

/** What handlers work with. */
export interface RegistryParts {
  readonly uploads: Uploads;
  readonly blobs: Blobs;
  readonly manifests: Manifests;
  readonly gate: Gate;
  readonly access: Access;
  /** Registry tokens. */
  readonly tokens: RegistryTokens;
  readonly catalog: Catalog;
  readonly tagReports: TagReports;
  /** Of events to sinks. */
  readonly deliveries: Deliveries;
  readonly answers: KeptAnswers;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Gets a line for each request. Undefined: nobody wants them. */
  readonly accessLog: AccessLog | undefined;
  readonly proxies: Proxies;
  readonly manifestMaxBytes: number;
}

/** One request, as handlers see it. */
export interface Context {
  readonly exchange: Exchange;
  readonly parts: RegistryParts;
  readonly caller: Caller;
}
