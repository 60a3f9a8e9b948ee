/** Whom a case is about. Their team is `acme`, where they have one. */
export interface Asker {
  readonly kind: 'anonymous' | 'instance' | 'oauth';
  readonly realm?: string;
  readonly scopes?: readonly string[];
  readonly isInTeam?: boolean;
}

const WRITE = 'application.write';
const ALL = 'application.write_all';
const TRUSTED = 'application.write_all_trusted';
const employee = { kind: 'oauth', realm: 'employees' } as const;
const service = { kind: 'oauth', realm: 'services' } as const;

export const ASKERS = {
  nobody: { kind: 'anonymous' },
  machine: { kind: 'instance' },
  member: { ...employee, isInTeam: true },
  stranger: { ...employee },
  'stranger, write_all': { ...employee, scopes: [ALL] },
  'member, trusted': { ...employee, scopes: [TRUSTED], isInTeam: true },
  'service, no scope': { ...service, isInTeam: true },
  'service, write, team': { ...service, scopes: [WRITE], isInTeam: true },
  'service, write': { ...service, scopes: [WRITE] },
  'service, write_all': { ...service, scopes: [ALL] },
  'service, trusted': { ...service, scopes: [TRUSTED] },
  'service, foreign scope': { ...service, scopes: ['uid', 'application.read'], isInTeam: true },
  customer: { kind: 'oauth', realm: 'customers', scopes: [ALL], isInTeam: true },
  'without realm': { kind: 'oauth', scopes: [ALL], isInTeam: true },
} as const satisfies Readonly<Record<string, Asker>>;

export type AskerName = keyof typeof ASKERS;

export const SITUATIONS = {
  closed: { allowsPublicRead: false, knowsTeams: true },
  public: { allowsPublicRead: true, knowsTeams: true },
  teamless: { allowsPublicRead: false, knowsTeams: false },
} as const;

export type SituationName = keyof typeof SITUATIONS;

/** Pull, push to acme, push to the team other, push to acme with X-SCM-Source: ok, or the answer's status. */
export type Row = readonly [AskerName, SituationName, string, string, string, string];

// biome-ignore format: a table is read by its columns
export const ACCESS_TABLE: readonly Row[] = [
  //                                       pull   acme   other  source
  ['nobody',                 'closed',    '401', '401', '401', '401'],
  ['nobody',                 'public',    'ok',  '401', '401', '401'],
  ['nobody',                 'teamless',  '401', '401', '401', '401'],
  ['machine',                'closed',    'ok',  '403', '403', '403'],
  ['machine',                'public',    'ok',  '403', '403', '403'],
  ['machine',                'teamless',  'ok',  '403', '403', '403'],
  ['member',                 'closed',    'ok',  'ok',  '403', '403'],
  ['member',                 'public',    'ok',  'ok',  '403', '403'],
  ['member',                 'teamless',  'ok',  '403', '403', '403'],
  ['stranger',               'closed',    'ok',  '403', '403', '403'],
  ['stranger',               'public',    'ok',  '403', '403', '403'],
  ['stranger',               'teamless',  'ok',  '403', '403', '403'],
  ['stranger, write_all',    'closed',    'ok',  '403', '403', '403'],
  ['stranger, write_all',    'public',    'ok',  '403', '403', '403'],
  ['stranger, write_all',    'teamless',  'ok',  '403', '403', '403'],
  ['member, trusted',        'closed',    'ok',  'ok',  '403', '403'],
  ['member, trusted',        'public',    'ok',  'ok',  '403', '403'],
  ['member, trusted',        'teamless',  'ok',  '403', '403', '403'],
  ['service, no scope',      'closed',    'ok',  '403', '403', '403'],
  ['service, no scope',      'public',    'ok',  '403', '403', '403'],
  ['service, no scope',      'teamless',  'ok',  '403', '403', '403'],
  ['service, write, team',   'closed',    'ok',  'ok',  '403', '403'],
  ['service, write, team',   'public',    'ok',  'ok',  '403', '403'],
  ['service, write, team',   'teamless',  'ok',  '403', '403', '403'],
  ['service, write',         'closed',    'ok',  '403', '403', '403'],
  ['service, write',         'public',    'ok',  '403', '403', '403'],
  ['service, write',         'teamless',  'ok',  '403', '403', '403'],
  ['service, write_all',     'closed',    'ok',  'ok',  'ok',  '403'],
  ['service, write_all',     'public',    'ok',  'ok',  'ok',  '403'],
  ['service, write_all',     'teamless',  'ok',  'ok',  'ok',  '403'],
  ['service, trusted',       'closed',    'ok',  'ok',  'ok',  'ok'],
  ['service, trusted',       'public',    'ok',  'ok',  'ok',  'ok'],
  ['service, trusted',       'teamless',  'ok',  'ok',  'ok',  'ok'],
  ['service, foreign scope', 'closed',    'ok',  '403', '403', '403'],
  ['service, foreign scope', 'public',    'ok',  '403', '403', '403'],
  ['service, foreign scope', 'teamless',  'ok',  '403', '403', '403'],
  ['customer',               'closed',    'ok',  '403', '403', '403'],
  ['customer',               'public',    'ok',  '403', '403', '403'],
  ['customer',               'teamless',  'ok',  '403', '403', '403'],
  ['without realm',          'closed',    'ok',  '403', '403', '403'],
  ['without realm',          'public',    'ok',  '403', '403', '403'],
  ['without realm',          'teamless',  'ok',  '403', '403', '403'],
];

export const ACTIONS = [
  { action: 'pull', team: 'acme' },
  { action: 'push', team: 'acme' },
  { action: 'push', team: 'other' },
  { action: 'push-with-source', team: 'acme' },
] as const;
