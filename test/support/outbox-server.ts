/* The registry with sinks of tests: TEST_SINKS has their URLs, comma-separated. They are called sink-0, sink-1 … */
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { startServer } from '../../src/server.ts';
import { HttpSink } from './http-sink.ts';

const log = createLog('info');
const urls = (process.env['TEST_SINKS'] ?? '').split(',').filter((url) => url !== '');
const sinks = urls.map((url, index) => new HttpSink(`sink-${index}`, url));
const server = await startServer(readConfig(process.env), log, { sinks });
log.info({ url: server.url, managementUrl: server.managementUrl }, 'listening');
process.once('SIGTERM', () => {
  void server.close().then(() => process.exit(0));
});
