import type { z } from 'zod';
import { OciError } from '../../oci/error.ts';
import type { Context } from '../context.ts';
import type { Reply } from './reply.ts';

/**
 * What a caller has to be. `none`: anybody; `pull`: authenticated, or anybody where the registry can be read by the
 * public; `authenticated`: that, also where it can.
 */
export type Access = 'none' | 'pull' | 'authenticated';

/** One request, its input checked. */
export interface RestRequest<Path, Query> {
  readonly context: Context;
  readonly path: Path;
  readonly query: Query;
}

export interface EndpointOptions<
  Path extends z.ZodObject,
  Query extends z.ZodObject,
  Answer extends z.ZodType,
> {
  /** The operation's name in the OpenAPI document. */
  readonly id: string;
  /** The heading under which the document has it. */
  readonly group: string;
  readonly summary: string;
  readonly method: 'GET' | 'POST';
  /** `/teams/{team}/artifacts`; a parameter is one segment, percent-decoded. */
  readonly template: string;
  readonly access: Access;
  readonly path: Path;
  readonly query: Query;
  /** Of status 200. */
  readonly answer: Answer;
  /** Statuses of errors of its own, and what they mean. */
  readonly errors?: Readonly<Record<number, string>>;
  readonly handle: (
    request: RestRequest<z.output<Path>, z.output<Query>>,
  ) => Promise<Reply<z.input<Answer>>>;
}

/** Input as it came: the last of several values of a name. */
export type Values = Readonly<Record<string, string>>;

/** One endpoint of the REST API; the documents, the checks and the handler's types are all made from it. */
export interface Endpoint
  extends Omit<EndpointOptions<z.ZodObject, z.ZodObject, z.ZodType>, 'handle'> {
  /** @throws OciError with status 400: a sentence on the parameter that can't be used */
  answerTo(context: Context, path: Values, query: Values): Promise<Reply<unknown>>;
}

export function endpoint<
  Path extends z.ZodObject,
  Query extends z.ZodObject,
  Answer extends z.ZodType,
>(options: EndpointOptions<Path, Query, Answer>): Endpoint {
  const { handle, ...definition } = options;
  return {
    ...definition,
    async answerTo(context, path, query) {
      return handle({
        context,
        path: check(definition.path, path),
        query: check(definition.query, query),
      });
    },
  };
}

function check<Schema extends z.ZodObject>(schema: Schema, values: Values): z.output<Schema> {
  const nul = Object.entries(values).find(([, value]) => value.includes('\0'));
  if (nul) throw badInput(`${nul[0]}: must not contain U+0000`);
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw badInput(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is invalid'}`);
}

export function badInput(message: string): OciError {
  return new OciError('UNSUPPORTED', { status: 400, message });
}
