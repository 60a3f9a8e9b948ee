import { makeBlob } from './blob.ts';
import { push } from './client.ts';
import { memoryMib, peakMemoryMib } from './process-usage.ts';
import { openS3Place } from './s3-place.ts';
const place = await openS3Place(false);
const r = await place.startOurs({ BUFFER_MEMORY_MIB: '64', ...(process.env['EXTRA'] ? JSON.parse(process.env['EXTRA']) : {}) });
const blobs = Array.from({ length: 32 }, () => makeBlob(100));
const t = setInterval(async () => {
  const m = await (await fetch(`${r.managementUrl}/metrics`)).text();
  const g = (n: string) => Math.round(Number(new RegExp(`^${n} (.*)$`, 'm').exec(m)?.[1] ?? 0) / 1048576);
  console.log(memoryMib(r.pid).toFixed(0), 'heapUsed', g('nodejs_heap_size_used_bytes'), 'heapTotal', g('nodejs_heap_size_total_bytes'), 'ext', g('nodejs_external_memory_bytes'));
}, 2000);
await Promise.all(blobs.map((b) => push(r.url, 'a/b', b, 'chunked')));
clearInterval(t);
console.log('peak', peakMemoryMib(r.pid));
await r.stop(); await place.stop();
