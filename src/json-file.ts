/** More problems of one file help nobody. */
const MAX_PROBLEMS = 50;

/** What is wrong with a JSON file that a setting names: every problem, a sentence each. */
export class JsonFileError extends Error {
  constructor(setting: string, file: string, problems: readonly string[], options?: ErrorOptions) {
    const different = [...new Set(problems)];
    const more = different.length - MAX_PROBLEMS;
    const shown = [...different.slice(0, MAX_PROBLEMS), ...(more > 0 ? [`and ${more} more`] : [])];
    super(`${setting} ${file}: ${shown.join('; ')}`, options);
  }
}

/**
 * What doesn't parse may be another file, with secrets: nothing of it is shown.
 * @param fail makes the error of a problem, which names the line where that is known
 */
export function parseJsonFile(text: string, fail: (problem: string) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const before = position === undefined ? [] : text.slice(0, Number(position)).split('\n');
    const place = position === undefined ? '' : ` (line ${before.length})`;
    throw fail(`it holds no JSON${place}`);
  }
}
