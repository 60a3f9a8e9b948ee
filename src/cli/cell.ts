import { showAge } from './times.ts';

/** Controls, ends of lines, and what turns the direction of what follows. */
const OBEYED = /[\p{Cc}\u2028\u2029\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

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
  return text.replaceAll(OBEYED, ' ');
}

/** JSON in which nothing is left that a terminal would obey: JSON.stringify escapes the first 32 characters alone. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    OBEYED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
