import type { Identity } from './identity.ts';

export const WRITE = 'application.write';
export const WRITE_ALL = 'application.write_all';
export const WRITE_ALL_TRUSTED = 'application.write_all_trusted';

/** `push-with-source` is a push whose manifest comes with the header X-SCM-Source. */
export type Action = 'pull' | 'push' | 'push-with-source';

/** What the operator chose. */
export interface PolicySettings {
  /** False: nothing is configured that could tell who asks, so everyone may do everything. */
  readonly isSecured: boolean;
  readonly allowsPublicRead: boolean;
  /** False: nothing tells the members of teams. */
  readonly knowsTeams: boolean;
}

export interface Question {
  readonly action: Action;
  /** The first segment of the repository's name. */
  readonly team: string;
  /** Undefined: nobody that is known. */
  readonly identity: Identity | undefined;
  /** The bearer's, as far as `needsTeams` asks for them. */
  readonly teams: ReadonlySet<string>;
}

/** `reason` is for the person who asks: which team, scope or realm is missing. */
export type Decision =
  | { readonly isAllowed: true }
  | {
      readonly isAllowed: false;
      readonly code: 'UNAUTHORIZED' | 'DENIED';
      readonly reason: string;
    };

const ALLOWED: Decision = { isAllowed: true };

/**
 * Who may do what. Pull: everyone who is known. Push: employees of the team; services of the team with application.write;
 * services with application.write_all for any team.
 */
export function decide(question: Question, settings: PolicySettings): Decision {
  const { action, identity } = question;
  if (!settings.isSecured) return ALLOWED;
  if (action === 'pull' && (settings.allowsPublicRead || identity)) return ALLOWED;
  if (!identity) return { isAllowed: false, code: 'UNAUTHORIZED', reason: loginSentence(action) };
  const reason = whyNotPush(question, identity, settings);
  return reason === undefined ? ALLOWED : { isAllowed: false, code: 'DENIED', reason };
}

/** Whether a push depends on the bearer's teams: else no team source has to be asked. */
export function needsTeams(identity: Identity, settings: PolicySettings): boolean {
  if (!settings.isSecured || identity.kind === 'instance') return false;
  const { realm } = identity.principal;
  if (realm === 'employees') return true;
  return realm === 'services' && !mayWriteAll(identity) && identity.scopes.has(WRITE);
}

function whyNotPush(
  { action, team, teams }: Question,
  identity: Identity,
  { knowsTeams }: PolicySettings,
): string | undefined {
  const { uid, realm } = identity.principal;
  if (identity.kind === 'instance') {
    return 'an instance identity document may only pull: push with an OAuth 2 token';
  }
  if (realm !== 'employees' && realm !== 'services') {
    return `${uid} is ${realm === undefined ? 'in no realm' : `in the realm ${realm}`}: employees and services may push`;
  }
  if (
    action === 'push-with-source' &&
    !(realm === 'services' && identity.scopes.has(WRITE_ALL_TRUSTED))
  ) {
    return `X-SCM-Source is for services whose token has the scope ${WRITE_ALL_TRUSTED}: ${uid} is not one, so push without the header`;
  }
  if (realm === 'services') {
    if (mayWriteAll(identity)) return undefined;
    if (!identity.scopes.has(WRITE)) {
      return `the token of the service ${uid} has neither the scope ${WRITE} nor ${WRITE_ALL}: ask for a token with one of them`;
    }
  }
  if (teams.has(team)) return undefined;
  if (!knowsTeams && teams.size === 0) {
    return `no source of teams is configured, so only services with the scope ${WRITE_ALL} may push: ask the operator`;
  }
  return `${uid} is not in the team ${team}, which is the first part of the repository's name: ${adviceFor(teams)}`;
}

function mayWriteAll({ scopes }: Identity): boolean {
  return scopes.has(WRITE_ALL) || scopes.has(WRITE_ALL_TRUSTED);
}

const MAX_SHOWN_TEAMS = 10;

function adviceFor(teams: ReadonlySet<string>): string {
  if (teams.size === 0) return 'it is in no team';
  const names = [...teams].toSorted();
  const more = names.length > MAX_SHOWN_TEAMS ? ' …' : '';
  return `push to one of ${names.slice(0, MAX_SHOWN_TEAMS).join(', ')}${more}`;
}

function loginSentence(action: Action): string {
  return `authentication required: log in to ${action === 'pull' ? 'pull' : 'push'} (docker login -u oauth2, with a token as password)`;
}
