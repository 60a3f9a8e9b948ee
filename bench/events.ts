import { HttpClient } from '../test/support/http-client.ts';
import { startPostgres } from '../test/support/postgres.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../test/support/sample-content.ts';
import { createDatabase } from '../test/support/test-registry.ts';
import { startChild, stopAtEnd } from './child.ts';
import { makeDirectory } from './directories.ts';
import { readOptions } from './options.ts';
import { median, percentile, printTable, spread } from './statistics.ts';

