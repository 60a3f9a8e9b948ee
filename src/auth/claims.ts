import { ANONYMOUS } from '../oci/principal.ts';
import { InvalidCredential } from './identity.ts';

/** What a token, or who issued it, says of its bearer: of any type, whatever the standards say. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_UID_LENGTH = 512;
const MAX_NAME_LENGTH = 256;
const MAX_NAMES = 1000;

/** @returns undefined for what is no JSON object */
export function claimsOf(value: unknown): Claims | undefined {
  return isClaims(value) ? value : undefined;
}

function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never what an object inherits. */
export function claimOf(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined;
}

/** A string, number or boolean as text; nothing else has one. Numbers that JSON has rounded have none either. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return String(value);
  return undefined;
}

/** @throws InvalidCredential where its bearer can't be told apart from others by it */
export function uidOf(value: unknown): string {
  const uid = typeof value === 'boolean' ? undefined : textOf(value);
  if (uid === undefined || uid.trim() === '') {
    throw new InvalidCredential('the token is valid, but names no user', 'forbidden');
  }
  if (uid.trim().toLowerCase() === ANONYMOUS.uid) {
    throw new InvalidCredential(`the user name ${ANONYMOUS.uid} is reserved`, 'forbidden');
  }
  // A lone surrogate can't be stored, nor can NUL; what shows nothing could pass for another uid.
  if (uid.length > MAX_UID_LENGTH || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(uid)) {
    throw new InvalidCredential(
      `the token's user name has control or invisible characters, or more than ${MAX_UID_LENGTH} characters`,
      'forbidden',
    );
  }
  return uid;
}

/** `/employees` and `employees` are the same. */
export function realmOf(value: unknown): string | undefined {
  const [realm] = namesOf(typeof value === 'string' ? [value] : []);
  return realm;
}

/** Scopes: a list, or one string with spaces between them (RFC 6749, section 3.3). */
export function scopesOf(value: unknown): string[] {
  const scopes = typeof value === 'string' ? value.split(' ') : listOf(value);
  return scopes.filter(isName).slice(0, MAX_NAMES);
}

/** Teams: a list, or the name of one; without the slashes of Keycloak's groups. */
export function namesOf(value: unknown): string[] {
  return (typeof value === 'string' ? [value] : listOf(value))
    .filter(isName)
    .slice(0, MAX_NAMES)
    .map((name) => name.replace(/^\/+/, '').replace(/\/+$/, ''))
    .filter(isName);
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** What can be stored and shown, since a name can be part of the reason of a refusal. */
function isName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > MAX_NAME_LENGTH) return false;
  return !/[\p{Cc}\p{Cs}]/u.test(value);
}

/** Seconds since 1970, or a number of seconds, as ms. */
export function millisecondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
