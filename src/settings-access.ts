import { z } from 'zod';
import { conditionsText, issuerUrl } from './auth/openid-issuer.ts';
import { boolean, integer, orUnset, serviceUrl, setting, text } from './setting.ts';

const optionalUrl = serviceUrl.transform(orUnset);
const list = z
  .string()
  .transform((items) => items.split(',').map((item) => item.trim()))
  .transform((items) => items.filter((item) => item !== ''));
const realm = z.enum(['employees', 'services'], 'employees or services');
const tokenKeys = z
  .string()
  .transform((keys) => keys.split(',').map((key) => key.trim()))
  .refine(
    (keys) => keys.length <= 2 && keys.every((key) => key.length >= 32),
    'one or two secrets of at least 32 characters, comma-separated: the first signs, both verify',
  );

/** Who may pull and push. */
export const ACCESS_SETTINGS = {
  HTTP_TOKENINFO_URL: setting(
    optionalUrl,
    undefined,
    'URL that tells whom an OAuth 2 token stands for, asked with ?access_token=TOKEN.',
  ),
  TOKENINFO_URL: setting(optionalUrl, undefined, 'The same, where HTTP_TOKENINFO_URL is unset.'),
  HTTP_INTROSPECTION_URL: setting(
    optionalUrl,
    undefined,
    'URL of OAuth 2 token introspection (RFC 7662), instead of HTTP_TOKENINFO_URL.',
  ),
  HTTP_INTROSPECTION_CLIENT_ID: setting(
    text.transform(orUnset),
    undefined,
    'What the registry is called there.',
  ),
  HTTP_INTROSPECTION_CLIENT_SECRET: setting(
    text.transform(orUnset),
    undefined,
    'What it proves that with.',
  ),
  HTTP_INTROSPECTION_AUDIENCE: setting(
    text.transform(orUnset),
    undefined,
    'Audience that tokens must have there. Unset: tokens for anyone are accepted.',
  ),
  HTTP_INTROSPECTION_UID_CLAIM: setting(
    text.transform(orUnset),
    undefined,
    'Member of the introspection answer that is the uid.',
    'username, else sub',
  ),
  HTTP_INTROSPECTION_REALM_CLAIM: setting(
    text,
    'realm',
    'Member of the introspection answer that says employees or services.',
  ),
  HTTP_INTROSPECTION_TEAMS_CLAIM: setting(
    text.transform(orUnset),
    undefined,
    'Member of the introspection answer that lists teams.',
  ),
  HTTP_OIDC_ISSUER: setting(
    issuerUrl.transform(orUnset),
    undefined,
    'OpenID Connect issuer whose JWTs are accepted; docs/openid-connect.md has examples.',
  ),
  HTTP_OIDC_AUDIENCE: setting(
    text.transform(orUnset),
    undefined,
    'Audience that its tokens must have.',
  ),
  HTTP_OIDC_CONDITIONS: setting(
    conditionsText.transform(orUnset),
    undefined,
    'Claims that its tokens must have: claim=value, comma-separated; * stands for any characters.',
  ),
  HTTP_OIDC_UID_CLAIM: setting(text, 'sub', 'Claim that is the uid.'),
  HTTP_OIDC_REALM: setting(
    realm.transform(orUnset),
    undefined,
    'Realm of its tokens: employees or services.',
  ),
  HTTP_OIDC_REALM_CLAIM: setting(
    text.transform(orUnset),
    undefined,
    'Claim that says the realm, where HTTP_OIDC_REALM is unset.',
  ),
  HTTP_OIDC_SCOPES: setting(list, '', 'Scopes that each of its tokens has, comma-separated.'),
  HTTP_OIDC_SCOPES_CLAIM: setting(
    text.transform(orUnset),
    undefined,
    'Claim that lists more of them.',
    'scope and scp',
  ),
  HTTP_OIDC_TEAMS: setting(list, '', 'Teams of each of its tokens, comma-separated.'),
  HTTP_OIDC_TEAMS_CLAIM: setting(
    text.transform(orUnset),
    undefined,
    'Claim that names a team, or lists teams.',
  ),
  HTTP_OIDC_CLOCK_SKEW: setting(
    integer(0, 300),
    '30',
    'Seconds by which clocks may differ from the issuer’s.',
  ),
  HTTP_OIDC_ISSUERS_FILE: setting(
    text.transform(orUnset),
    undefined,
    'JSON file with a list of issuers, for several.',
  ),
  HTTP_TEAM_SERVICE_URL: setting(
    optionalUrl,
    undefined,
    'URL of the team service: /api/accounts/aws?member=UID lists the teams of an employee.',
  ),
  HTTP_KIO_URL: setting(
    optionalUrl,
    undefined,
    'URL of the application registry: /apps/APP tells the team of a service.',
  ),
  HTTP_USERNAME_PREFIX: setting(
    text.transform(orUnset),
    undefined,
    "What a service's uid has before its application's name.",
    'all up to the last _',
  ),
  TEAMS_FILE: setting(
    text.transform(orUnset),
    undefined,
    'JSON file with teams and their members; read again when it changes.',
  ),
  HTTP_IIDINFO_URL: setting(
    optionalUrl,
    undefined,
    'URL that verifies instance identity documents, which may pull. Unset: they are refused.',
  ),
  HTTP_ALLOW_PUBLIC_READ: setting(boolean, 'false', 'Everyone may pull, without credentials.'),
  HTTP_AUTH_CHALLENGE: setting(
    z.enum(['basic', 'bearer'], 'basic or bearer').transform(orUnset),
    undefined,
    'How clients are asked to log in. bearer: they get registry tokens at /token, with which pulls survive an outage of HTTP_TOKENINFO_URL.',
    'bearer with HTTP_ALLOW_PUBLIC_READ, else basic',
  ),
  HTTP_TOKEN_KEY: setting(
    tokenKeys.transform(orUnset),
    undefined,
    'Secret that signs registry tokens, at least 32 characters; a second one, after a comma, is accepted too.',
    'made and rotated in PostgreSQL',
  ),
} as const;

/** Who writes credentials into a URL must not find them in a message. */
export const ACCESS_SECRET_SETTINGS = [
  'HTTP_INTROSPECTION_CLIENT_SECRET',
  'HTTP_TOKEN_KEY',
  ...Object.keys(ACCESS_SETTINGS).filter((name) => name.endsWith('_URL')),
  'HTTP_OIDC_ISSUER',
];
