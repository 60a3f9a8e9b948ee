/** What an Authorization header holds. Its strings are secrets. */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  /** The PKCS7 document of a cloud machine, as it was given, newlines included. */
  | { readonly kind: 'instance'; readonly document: string }
  | { readonly kind: 'unusable'; readonly reason: string };

const NONE: Credential = { kind: 'none' };
const HOW =
  'use Bearer TOKEN, or Basic with the user oauth2 and the token as password (docker login -u oauth2)';

/** Reads an Authorization header (RFC 9110, section 11.6.2; the original's schemes). */
export function readCredential(header: string | undefined): Credential {
  if (header === undefined || header === '') return NONE;
  const match = /^([A-Za-z]+) +(.*)$/s.exec(header.trim());
  const [, scheme = '', value = ''] = match ?? [];
  switch (scheme.toLowerCase()) {
    case 'bearer':
    case 'token':
      return tokenOf(value.trim());
    case 'basic':
      return readBasic(value.trim());
    default:
      return unusable(`this way to log in isn't known: ${HOW}`);
  }
}

function readBasic(encoded: string): Credential {
  // Several headers come as one, with commas between: of them none counts.
  if (encoded.includes(',')) return unusable(`there is more than one credential: ${HOW}`);
  const text = Buffer.from(encoded, 'base64').toString();
  // What podman and skopeo answer a Basic challenge with when they have no login.
  if (text === ':') return NONE;
  const colon = text.indexOf(':');
  return readPassword(text.slice(0, Math.max(colon, 0)), text.slice(colon + 1));
}

/** Reads a user name and a password, as Basic has them, and the form of /token. */
export function readPassword(user: string, password: string): Credential {
  if (user === 'oauth2') return tokenOf(password);
  if (user !== 'instance-identity-document') {
    return unusable(`this user name isn't known: ${HOW}`);
  }
  if (password === '') return unusable('the instance identity document is missing');
  return { kind: 'instance', document: password };
}

/** RFC 6750, section 2.1: what can be a token. */
function tokenOf(token: string): Credential {
  if (/^[\x21-\x7e]+$/.test(token)) return { kind: 'token', token };
  return unusable(`the token is ${token === '' ? 'missing' : 'malformed'}: ${HOW}`);
}

function unusable(reason: string): Credential {
  return { kind: 'unusable', reason };
}
