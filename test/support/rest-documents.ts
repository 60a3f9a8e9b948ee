import { expect } from 'vitest';
import { z } from 'zod';
import type { HttpAnswer, HttpClient } from './http-client.ts';

/** The server's own OpenAPI document, against which its answers are checked. */
export class RestDocument {
  readonly #document: OpenApi;
  readonly #schemas = new Map<string, z.ZodType>();

  private constructor(document: OpenApi) {
    this.#document = document;
  }

  static async read(api: HttpClient): Promise<RestDocument> {
    const { body } = await api.send('GET', '/openapi.json');
    return new RestDocument(openApiSchema.parse(JSON.parse(body.toString())));
  }

  /** Each operation: method and template. */
  get operations(): string[] {
    return Object.entries(this.#document.paths).flatMap(([template, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${template}`),
    );
  }

  /** The operation that a request is for; undefined: the document has none. */
  operationOf(method: string, path: string): string | undefined {
    const segments = (path.split('?')[0] ?? '').replace(/\/+$/, '').split('/');
    const matches = this.operations.filter((operation) => {
      const [verb, template = ''] = operation.split(' ');
      const parts = template.split('/');
      const isSame = parts.every((part, i) => part === segments[i] || part.startsWith('{'));
      return verb === method && parts.length === segments.length && isSame;
    });
    return matches.toSorted((a, b) => a.split('{').length - b.split('{').length)[0];
  }

  /** An answer is what the document says of it: by its operation and status, else as every error is. */
  check(method: string, path: string, answer: HttpAnswer): void {
    const operation = this.operationOf(method, path);
    const isOk = answer.status === 200;
    if (isOk) expect(operation, `${method} ${path} in the document`).toBeDefined();
    const [verb = '', template = ''] = operation?.split(' ') ?? [];
    const responses = this.#document.paths[template]?.[verb.toLowerCase()]?.responses;
    const response = responses?.[answer.status] ?? responses?.['default'];
    const schema = response?.content['application/json'].schema ?? ERROR;
    const result = this.#schemaOf(schema).safeParse(JSON.parse(answer.body.toString()));
    expect(result.error?.message, `${method} ${path} against its schema`).toBeUndefined();
  }

  #schemaOf(schema: object): z.ZodType {
    const text = JSON.stringify(schema);
    const known = this.#schemas.get(text);
    if (known) return known;
    const { schemas } = this.#document.components;
    const whole = { ...schema, $defs: schemas };
    const inPlace = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/');
    const made = z.fromJSONSchema(JSON.parse(inPlace));
    this.#schemas.set(text, made);
    return made;
  }
}

const ERROR = { $ref: '#/components/schemas/Error' };
const anyObject = z.record(z.string(), z.unknown());
const contentSchema = z.object({ 'application/json': z.object({ schema: anyObject }) });
const openApiSchema = z.object({
  openapi: z.literal('3.1.1'),
  info: z.object({ title: z.literal('Pier One API') }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ responses: z.record(z.string(), z.object({ content: contentSchema })) }),
    ),
  ),
  components: z.object({ schemas: z.record(z.string(), anyObject) }),
});
type OpenApi = z.infer<typeof openApiSchema>;
