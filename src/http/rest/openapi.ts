import { z } from 'zod';
import type { Endpoint } from './endpoint.ts';

/*
 * The OpenAPI 3.1 document, made from the schemas that check requests and type the handlers. Its schemas are JSON
 * Schema as it is.
 */

export const INFO = { title: 'Pier One API', version: '0.1', description: 'Docker Registry' };

/** Schemas by the names that the document refers to them by. */
export type NamedSchemas = Readonly<Record<string, z.ZodType>>;
export type JsonSchema = Readonly<Record<string, unknown>>;

export function openApiDocument(
  endpoints: readonly Endpoint[],
  named: NamedSchemas,
): Record<string, unknown> {
  const schemas = mapValues(named, (schema) => toJsonSchema(schema, 'draft-2020-12'));
  return {
    openapi: '3.1.1',
    info: INFO,
    servers: [{ url: '/' }],
    tags: groupsOf(endpoints),
    paths: pathsOf(endpoints, (endpoint) => operationOf(endpoint, named)),
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An access token.' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description:
            'The user oauth2 with an access token as password, or an instance identity document.',
        },
      },
    },
  };
}

function operationOf(endpoint: Endpoint, named: NamedSchemas) {
  const { answer, errors = {} } = endpoint;
  const schema = referTo(answer, named, '#/components/schemas/', 'draft-2020-12');
  const failure = { $ref: '#/components/schemas/Error' };
  return {
    ...headOf(endpoint, [{ bearer: [] }, { basic: [] }]),
    parameters: parametersOf(endpoint, 'draft-2020-12'),
    responses: {
      200: { description: 'OK', content: { 'application/json': { schema } } },
      ...mapValues({ ...errors, default: 'What went wrong.' }, (description) => ({
        description,
        content: { 'application/json': { schema: failure } },
      })),
    },
  };
}

/** One of several ways to prove who asks: a scheme by its name, and the scopes that it has to have. */
export type SecurityRequirement = Readonly<Record<string, readonly string[]>>;

/** What an operation has in both documents. @param security what it asks of who isn't anybody */
export function headOf(
  { id, group, summary, access }: Endpoint,
  security: readonly SecurityRequirement[],
) {
  return {
    operationId: id,
    tags: [group],
    summary,
    security: access === 'none' ? [] : security,
  };
}

export function groupsOf(endpoints: readonly Endpoint[]): { name: string }[] {
  return [...new Set(endpoints.map(({ group }) => group))].map((name) => ({ name }));
}

export function pathsOf<T>(
  endpoints: readonly Endpoint[],
  describe: (endpoint: Endpoint) => T,
): Record<string, Record<string, T>> {
  const paths: Record<string, Record<string, T>> = {};
  for (const endpoint of endpoints) {
    const operations = (paths[endpoint.template] ??= {});
    operations[endpoint.method.toLowerCase()] = describe(endpoint);
  }
  return paths;
}

export type Dialect = 'draft-2020-12' | 'openapi-3.0';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly description: string | undefined;
  readonly schema: JsonSchema;
}

export function parametersOf({ path, query }: Endpoint, dialect: Dialect): Parameter[] {
  return [...readParameters(path, 'path', dialect), ...readParameters(query, 'query', dialect)];
}

function readParameters(
  schema: z.ZodObject,
  place: 'path' | 'query',
  dialect: Dialect,
): Parameter[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, {
    target: dialect,
    io: 'input',
  });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = typeof property === 'boolean' ? {} : property;
    return {
      name,
      in: place,
      required: required.includes(name),
      description,
      schema: rest,
    };
  });
}

/** A reference where the schema has a name, or is an array of what has one. */
export function referTo(
  schema: z.ZodType,
  named: NamedSchemas,
  prefix: string,
  dialect: Dialect,
): JsonSchema {
  const name = Object.keys(named).find((candidate) => named[candidate] === schema);
  if (name !== undefined) return { $ref: prefix + name };
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodType) {
    return { type: 'array', items: referTo(schema.element, named, prefix, dialect) };
  }
  return toJsonSchema(schema, dialect);
}

/** Of an answer. */
export function toJsonSchema(schema: z.ZodType, dialect: Dialect): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: dialect });
  return rest;
}

export function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  change: (value: T) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
