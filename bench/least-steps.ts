/** What each step of least-server.ts adds to those before it. */
export const STEPS = ['body', 'head', 'request', 'clocks', 'metrics', 'log'] as const;
export type Step = (typeof STEPS)[number];
