import { memberOf } from './client.ts';
import { secondsOf, showAge } from './times.ts';

/** A heading, and what stands below it. */
export interface Section {
  readonly name: string;
  readonly fields: readonly (readonly [field: string, value: string])[];
}

interface TagName {
  readonly team: string;
  readonly artifact: string;
  readonly tag: string;
}

/** What the original's later servers say besides: each field that is there is shown. */
const STATUS_FIELDS = [
  'status',
  'status_reason',
  'status_received_at',
  'checker_status',
  'checker_status_reason',
  'checker_status_reason_details',
  'checker_status_received_at',
  'user_status',
  'user_status_reason',
  'user_status_issue',
  'user_status_set_by',
  'user_status_received_at',
  'emergency_status',
  'emergency_status_reason',
  'emergency_status_received_at',
] as const;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** A tag as people read it. Fields that a server doesn't have are left out, and sections without fields. */
export function sectionsOf(details: unknown, name: TagName): Section[] {
  const sections: Section[] = [
    { name: 'Image', fields: imageFields(details, name) },
    {
      name: 'Push',
      fields: present([
        ['By', memberOf(details, 'created_by')],
        ['At', timeOf(memberOf(details, 'created'))],
      ]),
    },
    { name: 'Source', fields: sourceFields(details) },
    { name: 'Status', fields: statusFields(details) },
    { name: 'Referrers', fields: referrerFields(details) },
  ];
  return sections.filter(({ fields }) => fields.length > 0);
}

function imageFields(details: unknown, { team, artifact, tag }: TagName) {
  const platforms = listOf(memberOf(details, 'platforms')).map(platformOf);
  return present([
    ['Name', `${team}/${artifact}:${stringOf(memberOf(details, 'name')) ?? tag}`],
    ['Digest', memberOf(details, 'digest')],
    ['Type', memberOf(details, 'media_type')],
    ['Id', memberOf(details, 'image')],
    ['Size', sizeOf(memberOf(details, 'size'))],
    ['Platforms', platforms.join(', ')],
    ['Mutability', memberOf(details, 'mutability')],
  ]);
}

function sourceFields(details: unknown) {
  const source = memberOf(details, 'scm_source');
  return present([
    ['URL', memberOf(source, 'url')],
    ['Revision', memberOf(source, 'revision')],
    ['Author', memberOf(source, 'author')],
    ['Status', memberOf(source, 'status')],
    ['Problem', memberOf(details, 'scm_source_problem')],
  ]);
}

function statusFields(details: unknown) {
  return present(
    STATUS_FIELDS.map((field) => {
      const value = memberOf(details, field);
      const title = field.replaceAll('_', ' ').replace(/^./, (letter) => letter.toUpperCase());
      return [title, field.endsWith('_at') ? timeOf(value) : value] as const;
    }),
  );
}

function referrerFields(details: unknown) {
  return present(
    listOf(memberOf(details, 'referrers')).map((referrer) => {
      const type = memberOf(referrer, 'artifact_type') ?? memberOf(referrer, 'media_type');
      const size = sizeOf(memberOf(referrer, 'size'));
      const value = [memberOf(referrer, 'digest'), size].filter(Boolean).join(', ');
      return [stringOf(type) ?? 'unknown', value] as const;
    }),
  );
}

function present(
  fields: readonly (readonly [field: string, value: unknown])[],
): (readonly [string, string])[] {
  return fields.flatMap(([field, value]) => {
    const text = stringOf(value);
    return text === undefined ? [] : [[field, text] as const];
  });
}

/** Undefined also for an empty string: there is nothing to show. */
function stringOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return value === '' ? undefined : value;
  return value === undefined || value === null ? undefined : JSON.stringify(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function platformOf(platform: unknown): string {
  const parts = ['os', 'architecture', 'variant'].map((name) => memberOf(platform, name));
  return parts.filter((part) => typeof part === 'string').join('/');
}

/** `2016-05-19 15:23:41 UTC, 5d ago`; what is no time stays as it is. */
function timeOf(value: unknown): unknown {
  const seconds = secondsOf(value);
  if (seconds === null) return value;
  const text = new Date(seconds * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} UTC, ${showAge(seconds, Date.now())}`;
}

/** As in 12.3 MiB. */
function sizeOf(value: unknown): string | undefined {
  if (typeof value !== 'number') return undefined;
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), UNITS.length - 1);
  return `${power === 0 ? value : (value / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}
