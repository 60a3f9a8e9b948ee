import { z } from 'zod';

/** Which tokens of one issuer are accepted, and what they mean. */
export type OpenIdIssuer = z.infer<typeof openIdIssuerSchema>;

/** True of every token that is accepted anyway, so that a condition on them is none. */
const NO_CONDITIONS = new Set(['iss', 'aud', 'exp', 'nbf', 'iat', 'jti']);
const CONDITIONS = 'conditions on claims, such as repository_owner=acme,ref=refs/heads/*';
const MAX_CLOCK_SKEW_SECONDS = 300;

const name = z.string('a text').min(1, 'a text that is not empty');
const names = z.array(name, 'a list of texts');

export const issuerUrl = z
  .string('the URL of an issuer')
  .refine(
    isIssuer,
    'the URL of an issuer, exactly as in its tokens, without user, query or fragment, such as https://token.actions.githubusercontent.com',
  );

const pattern = z
  .string('a pattern, such as acme or refs/heads/*')
  .refine(
    (text) => text.replaceAll('*', '') !== '',
    'a pattern with more than *, which everyone would match',
  );

const conditions = z
  .record(name, pattern, 'an object of claims and patterns')
  .refine(
    (record) => Object.keys(record).some((claim) => !NO_CONDITIONS.has(claim)),
    'set, with at least one claim beside issuer and audience: an issuer signs tokens for others too, such as repository_owner=acme on GitHub',
  );

/**
 * One issuer, as HTTP_OIDC_ISSUERS_FILE lists them and the variables HTTP_OIDC_… name one. Messages complete the sentence
 * "conditions must be …".
 */
export const openIdIssuerSchema = z
  .strictObject(
    {
      issuer: issuerUrl,
      audience: name,
      /** All must match: a claim's name, and a pattern in which `*` stands for any characters. */
      conditions,
      uidClaim: name.default('sub'),
      /** Of all its tokens; undefined, and no `realmClaim`: they may pull alone. */
      realm: z.enum(['employees', 'services'], 'employees or services').optional(),
      realmClaim: name.optional(),
      /** Granted to all its tokens. */
      scopes: names.default([]),
      /** Unless said, `scope` and `scp`. */
      scopesClaim: name.optional(),
      /** Of all its tokens. None, and no `teamsClaim`: a team source is asked. */
      teams: names.default([]),
      teamsClaim: name.optional(),
      clockSkewSeconds: z
        .int('a whole number of seconds')
        .min(0, 'a number of seconds that is not negative')
        .max(MAX_CLOCK_SKEW_SECONDS, `at most ${MAX_CLOCK_SKEW_SECONDS} seconds`)
        .default(30),
    },
    { error: unknownFields },
  )
  .refine(({ realm, realmClaim }) => realm === undefined || realmClaim === undefined, {
    path: ['realmClaim'],
    message: 'left out when realm is set: keep one of them',
  });

/** The text of HTTP_OIDC_CONDITIONS: `claim=pattern` with commas between. */
export const conditionsText = z
  .string()
  .transform((text, context) => {
    const pairs = text.split(',').map(splitCondition);
    const claims = new Set(pairs.map(([claim]) => claim));
    if (pairs.every(([claim, value]) => claim && value) && claims.size === pairs.length) {
      return Object.fromEntries(pairs);
    }
    context.addIssue({ code: 'custom', message: `${CONDITIONS}, each claim once` });
    return z.NEVER;
  })
  .pipe(conditions);

function splitCondition(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 0) return ['', ''];
  return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()];
}

/** `*` is any characters, slashes too. Its time grows with the text's length alone, whatever the pattern is. */
export function matchesPattern(text: string, glob: string): boolean {
  const [head = '', ...rest] = glob.split('*');
  const tail = rest.pop();
  if (tail === undefined) return text === glob;
  if (!text.startsWith(head)) return false;
  let position = head.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, position);
    if (found < 0) return false;
    position = found + piece.length;
  }
  return text.length - tail.length >= position && text.endsWith(tail);
}

function isIssuer(text: string): boolean {
  // No URL that the standard's parser would have to mend: a token's issuer is compared letter by letter.
  if (!/^https?:\/\/[\x21-\x7e]+$/.test(text) || /[?#@]/.test(text)) return false;
  return URL.canParse(text);
}

function unknownFields(issue: { code: string; keys?: unknown }): string {
  if (issue.code !== 'unrecognized_keys') return 'an object that describes an issuer';
  const keys = Array.isArray(issue.keys) ? issue.keys.join(', ') : '';
  return `without fields that aren't known: ${keys}`;
}
