import pc from 'picocolors';
import { withoutControls } from '../cell.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../errors.ts';
import type { Row } from '../output.ts';

/** As in src/doctor/finding.ts. */
interface Finding {
  readonly check: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly message: string;
}

const COLUMNS = [{ name: 'check' }, { name: 'status' }, { name: 'message' }];

export async function run(context: CommandContext): Promise<void> {
  const { output, settings } = context;
  let hasProblem = false;
  const watched = async function* (findings: AsyncIterable<Finding>) {
    for await (const finding of findings) {
      hasProblem ||= finding.status === 'problem';
      yield finding;
    }
  };
  const isClient = settings.flag('url') !== undefined;
  const findings = watched(
    isClient ? await clientFindings(context) : await serverFindings(context),
  );
  if (output.format === 'text') await printLines(context, findings);
  else await output.table(COLUMNS, rowsOf(findings));
  if (hasProblem) process.exitCode = EXIT.failed;
}

async function clientFindings(context: CommandContext): Promise<AsyncIterable<Finding>> {
  const { examineClient } = await import('../examine-client.ts');
  return examineClient(context);
}

/** The one place of the command that loads a part of the server, and only when it is asked for. */
async function serverFindings({ environment }: CommandContext): Promise<AsyncIterable<Finding>> {
  const { examineServer } = await import('../../doctor/doctor.ts');
  return examineServer(environment);
}

async function* rowsOf(findings: AsyncIterable<Finding>): AsyncGenerator<readonly Row[]> {
  for await (const { check, status, message } of findings) yield [{ check, status, message }];
}

/** Each line as soon as it is known: a dependency that doesn't answer takes seconds. */
async function printLines({ output }: CommandContext, findings: AsyncIterable<Finding>) {
  const paint = pc.createColors(output.hasColors);
  const words = {
    ok: paint.green('ok     '),
    warning: paint.yellow('warning'),
    problem: paint.red('problem'),
  };
  for await (const { check, status, message } of findings) {
    await output.line(`${words[status]}  ${check}: ${withoutControls(message)}`);
  }
}
