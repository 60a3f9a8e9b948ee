import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { z } from 'zod';
import type { HttpAnswer, HttpClient } from './http-client.ts';

const ID = 'openapi.json';

/** What any operation may answer, beside what the document names for it; a 500 is a bug. */
const COMMON_ERRORS = new Set([400, 401, 403, 503]);

/** An OpenAPI 3.1 document, to which answers are held. */
export class RestDocument {
  readonly #document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  /** @param document JSON */
  constructor(document: object) {
    this.#document = openApiSchema.parse(document);
    formats.default(this.#ajv);
    this.#ajv.addSchema(document, ID);
  }

  static async read(api: HttpClient): Promise<RestDocument> {
    const { body } = await api.send('GET', '/openapi.json');
    return new RestDocument(z.record(z.string(), z.unknown()).parse(JSON.parse(body.toString())));
  }

  /** An answer is what the document says of it: its status, its type, and its body. @throws Error that says what isn't */
  check(method: string, path: string, answer: HttpAnswer): void {
    const problem =
      method === 'OPTIONS' ? preflightProblem(answer) : this.#problemOf(method, path, answer);
    if (problem === undefined) return;
    const shown = `${answer.status} ${answer.body.toString().slice(0, 500)}`;
    throw new Error(`${method} ${path} isn't answered as documented: ${problem}\n${shown}`);
  }

  #problemOf(method: string, path: string, answer: HttpAnswer): string | undefined {
    const { status, headers, body } = answer;
    const operation = this.#operationOf(method === 'HEAD' ? 'GET' : method, path);
    if (operation === undefined && status < 400) return 'there is no such operation';
    const response = operation === undefined ? ERROR : this.#responseOf(operation, status);
    if (response === undefined) return `the operation has no status ${status}`;
    const type = headers['content-type'] ?? '';
    if (!response.types.includes(type)) return `the content is ${type}`;
    if (method === 'HEAD') return body.length > 0 ? 'HEAD has a body' : undefined;
    const validate = this.#schemaAt(response.schemaPath);
    return validate(parseJson(body)) ? undefined : this.#ajv.errorsText(validate.errors);
  }

  /** Undefined: the document has none. A literal segment goes before a parameter. */
  #operationOf(method: string, path: string): Operation | undefined {
    const segments = (path.split('?')[0] ?? '').replace(/\/+$/, '').split('/');
    const verb = method.toLowerCase();
    const templates = Object.entries(this.#document.paths)
      .filter(([template, operations]) => verb in operations && fits(template, segments))
      .map(([template]) => template);
    const template = templates.toSorted((a, b) => a.split('{').length - b.split('{').length)[0];
    return template === undefined ? undefined : { verb, template };
  }

  #responseOf({ verb, template }: Operation, status: number): Response | undefined {
    const responses = this.#document.paths[template]?.[verb]?.responses ?? {};
    const key = COMMON_ERRORS.has(status) && !(status in responses) ? 'default' : `${status}`;
    const response = responses[key];
    if (response === undefined) return undefined;
    const steps = ['paths', template, verb, 'responses', key, 'content', JSON_TYPE, 'schema'];
    return { types: Object.keys(response.content), schemaPath: steps };
  }

  #schemaAt(steps: readonly string[]): ValidateFunction {
    const pointer = steps.map((step) => step.replaceAll('~', '~0').replaceAll('/', '~1'));
    const validate = this.#ajv.getSchema(`${ID}#/${pointer.map(encodeURIComponent).join('/')}`);
    if (validate === undefined) throw new Error(`there is no schema at ${pointer.join('/')}`);
    return validate;
  }
}

interface Operation {
  readonly verb: string;
  readonly template: string;
}

interface Response {
  readonly types: readonly string[];
  readonly schemaPath: readonly string[];
}

const JSON_TYPE = 'application/json';
/** What isn't there at all has no operation to look it up in. */
const ERROR: Response = { types: [JSON_TYPE], schemaPath: ['components', 'schemas', 'Error'] };

const openApiSchema = z.object({
  openapi: z.literal('3.1.1'),
  info: z.object({ title: z.literal('Pier One API') }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        responses: z.record(
          z.string(),
          z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })) }),
        ),
      }),
    ),
  ),
});
type OpenApi = z.infer<typeof openApiSchema>;

/** A browser's question whether it may ask (Fetch, "CORS protocol"); documents don't have it. */
function preflightProblem({ status, body }: HttpAnswer): string | undefined {
  if (status !== 200) return 'a preflight request is refused';
  return body.length > 0 ? 'OPTIONS has a body' : undefined;
}

function fits(template: string, segments: readonly string[]): boolean {
  const parts = template.split('/');
  return (
    parts.length === segments.length &&
    parts.every((part, index) => part === segments[index] || part.startsWith('{'))
  );
}

/** What isn't JSON fits no schema. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}
