import { showAge } from './times.ts';

/** On one line, and without what a terminal would obey. */
export function showValue(column: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' && column.endsWith('_time')) return showAge(value, Date.now());
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.map((one) => showValue('', one)).join(', ');
  return withoutControls(typeof value === 'string' ? value : JSON.stringify(value));
}

/** For what somebody else wrote and a terminal shows. */
export function withoutControls(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
