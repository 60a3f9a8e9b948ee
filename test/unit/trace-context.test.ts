import { expect, test } from 'vitest';
import { currentTrace, inTrace, readTraceContext, traceHeaders } from '../../src/trace-context.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;

function read(traceparent: string, tracestate?: string) {
  const headers = new Map([['traceparent', traceparent]]);
  if (tracestate !== undefined) headers.set('tracestate', tracestate);
  return readTraceContext((name) => headers.get(name));
}

test('a valid traceparent names trace and span, and is passed on with its tracestate', () => {
  expect(read(TRACEPARENT, 'vendor=1')).toEqual({
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    headers: { traceparent: TRACEPARENT, tracestate: 'vendor=1' },
  });
});

test.each([
  ['with other flags', `00-${TRACE_ID}-${SPAN_ID}-00`],
  ['of a later version', `01-${TRACE_ID}-${SPAN_ID}-01`],
  ['of a later version, with more behind it', `cc-${TRACE_ID}-${SPAN_ID}-01-what-comes`],
])('so is one %s', (_, traceparent) => {
  expect(read(traceparent)).toMatchObject({ traceId: TRACE_ID, headers: { traceparent } });
});

test.each([
  ['empty', ''],
  ['in upper case', TRACEPARENT.toUpperCase()],
  ['of version ff', `ff-${TRACE_ID}-${SPAN_ID}-01`],
  ['without a trace', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
  ['without a span', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
  ['of version 00, with more behind it', `${TRACEPARENT}-more`],
  ['of a later version, with more without a dash', `01-${TRACE_ID}-${SPAN_ID}-011`],
  ['two of them', `${TRACEPARENT}, ${TRACEPARENT}`],
  ['too short', TRACEPARENT.slice(0, -1)],
  ['with a line break', `${TRACEPARENT}\n`],
])('ignored: %s', (_, traceparent) => {
  expect(read(traceparent, 'vendor=1')).toBeUndefined();
});

test.each([
  ['too long', 'a=b,'.repeat(200)],
  ['with bytes that no header may have', 'a=\u0001'],
])('a tracestate that is %s stays behind', (_, tracestate) => {
  expect(read(TRACEPARENT, tracestate)?.headers).toEqual({ traceparent: TRACEPARENT });
});

test('what is done in a trace knows it, later too; what is done outside of it does not', async () => {
  const trace = read(TRACEPARENT);
  const later = inTrace(trace, async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return [currentTrace(), traceHeaders()];
  });
  expect([currentTrace(), traceHeaders()]).toEqual([undefined, {}]);
  expect(await later).toEqual([trace, { traceparent: TRACEPARENT }]);
  expect([currentTrace(), traceHeaders()]).toEqual([undefined, {}]);
  const untraced = inTrace(undefined, () => Promise.resolve(currentTrace()));
  expect(await untraced).toBeUndefined();
  expect(await inTrace(trace, () => Promise.resolve(currentTrace()))).toBe(trace);
});
