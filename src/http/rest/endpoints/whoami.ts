import { z } from 'zod';
import { endpoint } from '../endpoint.ts';
import { GROUP, NOTHING } from '../schemas.ts';

export const callerSchema = z.object({
  uid: z.string().describe('anonymous where the registry protects nothing.'),
  realm: z.string().nullable().describe('employees, services, or what the issuer says.'),
  issuer: z.string().nullable().describe('The OpenID Connect issuer of the token, if it is a JWT.'),
  scopes: z
    .array(z.string())
    .nullable()
    .describe("The token's. Null, as the next two: a registry token, which does not tell."),
  teams: z.array(z.string()).nullable(),
  push_teams: z
    .array(z.string())
    .nullable()
    .describe('Teams whose repositories the caller may push to; * stands for any.'),
});

export const whoAmI = endpoint({
  id: 'whoAmI',
  group: GROUP.api,
  summary: 'Whom the credential of this request stands for, and where they may push.',
  method: 'GET',
  template: '/whoami',
  access: 'authenticated',
  path: NOTHING,
  query: NOTHING,
  answer: callerSchema,
  async handle({ context: { caller, parts } }) {
    const { uid, realm = null, issuer = null } = caller.principal;
    const { scopes, teams, pushTeams } = await parts.access.standingOf(caller);
    return {
      body: {
        uid,
        realm,
        issuer,
        scopes: copyOf(scopes),
        teams: copyOf(teams),
        push_teams: copyOf(pushTeams),
      },
    };
  },
});

function copyOf(list: readonly string[] | undefined): string[] | null {
  return list ? [...list] : null;
}
