import { z } from 'zod';
import { type Endpoint, endpoint } from '../endpoint.ts';
import { NAMED_SCHEMAS } from '../named-schemas.ts';
import { openApiDocument } from '../openapi.ts';
import { GROUP, NOTHING } from '../schemas.ts';
import { swaggerDocument } from '../swagger.ts';

const document = z.record(z.string(), z.unknown());
const OPERATION = {
  group: GROUP.operation,
  method: 'GET',
  access: 'none',
  path: NOTHING,
  query: NOTHING,
} as const;

/** The descriptions of the API; made when they are first asked for. @param all the endpoints, these included */
export function documentEndpoints(all: () => readonly Endpoint[]): Endpoint[] {
  let openApi: Record<string, unknown> | undefined;
  let swagger: Record<string, unknown> | undefined;
  return [
    endpoint({
      ...OPERATION,
      id: 'getOpenApi',
      summary: 'This API, in OpenAPI 3.1.',
      template: '/openapi.json',
      answer: document,
      handle: async () => ({ body: (openApi ??= openApiDocument(all(), NAMED_SCHEMAS)) }),
    }),
    endpoint({
      ...OPERATION,
      id: 'getSwagger',
      summary: 'This API, in Swagger 2.0.',
      template: '/swagger.json',
      answer: document,
      async handle({ context: { exchange } }) {
        swagger ??= swaggerDocument(all(), NAMED_SCHEMAS);
        const host = exchange.header('host');
        return { body: host === undefined ? swagger : { ...swagger, host } };
      },
    }),
    endpoint({
      ...OPERATION,
      id: 'discoverSchema',
      summary: 'Where the description of the API is.',
      template: '/.well-known/schema-discovery',
      answer: z.object({ schema_url: z.string(), schema_type: z.string(), ui_url: z.string() }),
      handle: async () => ({
        body: { schema_url: '/swagger.json', schema_type: 'swagger-2.0', ui_url: '/ui/' },
      }),
    }),
  ];
}
