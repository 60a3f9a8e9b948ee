/* The registry with its digests on the thread that serves HTTP; event-loop.ts starts it to compare. */
import { readConfig } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { startServer } from '../src/server.ts';
import { openInlineIngest } from './inline-ingest.ts';

const log = createLog('info');
const server = await startServer(readConfig(process.env), log, { openIngest: openInlineIngest });
log.info({ url: server.url, managementUrl: server.managementUrl }, 'listening');
process.once('SIGTERM', () => {
  void server.close().then(() => process.exit(0));
});
