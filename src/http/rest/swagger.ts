import type { Endpoint } from './endpoint.ts';
import {
  groupsOf,
  headOf,
  INFO,
  type JsonSchema,
  mapValues,
  type NamedSchemas,
  type Parameter,
  parametersOf,
  pathsOf,
  referTo,
  toJsonSchema,
} from './openapi.ts';

/** OpenAPI 3.0's schemas are the nearest to those of Swagger 2.0, which knows no null. */
const DIALECT = 'openapi-3.0';

/** The same in Swagger 2.0, which old clients look for. The host is added for each request. */
export function swaggerDocument(
  endpoints: readonly Endpoint[],
  named: NamedSchemas,
): Record<string, unknown> {
  return {
    swagger: '2.0',
    info: INFO,
    basePath: '/',
    consumes: ['application/json'],
    produces: ['application/json'],
    tags: groupsOf(endpoints),
    paths: pathsOf(endpoints, (endpoint) => operationOf(endpoint, named)),
    definitions: mapValues(named, (schema) => withoutNull(toJsonSchema(schema, DIALECT))),
    securityDefinitions: {
      iid: { type: 'basic', description: 'Checks IIDs' },
      oauth2: {
        type: 'oauth2',
        flow: 'implicit',
        // As the original has it: clients know where they get their tokens.
        authorizationUrl: 'https://example.com/oauth2/dialog',
        scopes: { uid: 'Unique identifier of the user who accesses the registry.' },
      },
    },
  };
}

function operationOf(endpoint: Endpoint, named: NamedSchemas) {
  const { answer, errors = {} } = endpoint;
  return {
    ...headOf(endpoint, [{ oauth2: ['uid'] }, { iid: [] }]),
    parameters: parametersOf(endpoint, DIALECT).map(showParameter),
    responses: {
      200: {
        description: 'OK',
        schema: withoutNull(referTo(answer, named, '#/definitions/', DIALECT)),
      },
      ...mapValues({ ...errors, default: 'What went wrong.' }, (description) => ({
        description,
        schema: { $ref: '#/definitions/Error' },
      })),
    },
  };
}

/** Its schema is not below a name of its own. */
function showParameter({ schema, ...parameter }: Parameter): object {
  return { ...parameter, ...withoutNull(schema) };
}

/** `x-nullable` is what the tools of Swagger 2.0 agreed on. */
function withoutNull(schema: JsonSchema): JsonSchema {
  const changed = Object.entries(schema).map(([name, value]): [string, unknown] => {
    if (name === 'nullable') return ['x-nullable', value];
    return [name, isSchema(value) ? withoutNull(value) : value];
  });
  return Object.fromEntries(changed);
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
