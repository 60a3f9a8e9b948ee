import { z } from 'zod';
import type { DevTools, DevToolsEvent } from './devtools.ts';
import { waitUntil } from './wait-until.ts';

/** For what comes after a click. */
const WAIT_MS = 120_000;

export interface BrowserRequest {
  readonly method: string;
  readonly url: string;
  /** Those that the page set; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A page of Chromium, and all that it asked for and complained about. */
export class BrowserPage {
  readonly requests: BrowserRequest[] = [];
  /** Warnings and errors of the console, exceptions, and what the page's policy forbade. */
  readonly complaints: string[] = [];
  readonly #devTools: DevTools;
  readonly #sessionId: string;

  constructor(devTools: DevTools, sessionId: string) {
    this.#devTools = devTools;
    this.#sessionId = sessionId;
    devTools.listen((event) => {
      if (event.sessionId === sessionId) this.#note(event);
    });
  }

  async record(): Promise<void> {
    for (const domain of ['Page', 'Network', 'Runtime', 'Log', 'Audits']) {
      await this.#send(`${domain}.enable`);
    }
  }

  async goTo(url: string): Promise<void> {
    const answer = await this.#send('Page.navigate', { url });
    const { errorText } = z.object({ errorText: z.string().optional() }).parse(answer);
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await this.#waitFor(`document.readyState === 'complete'`);
  }

  /** Of each element that a selector finds, when there is one. */
  async texts(selector: string): Promise<string[]> {
    await this.#waitFor(`document.querySelector(${JSON.stringify(selector)}) !== null`);
    const found = `document.querySelectorAll(${JSON.stringify(selector)})`;
    return z
      .array(z.string())
      .parse(await this.evaluate(`[...${found}].map((element) => element.innerText.trim())`));
  }

  /** Clicks on the first element of a selector, and of a text if one is given, as soon as it is there. */
  async click(selector: string, text?: string): Promise<void> {
    const isMeant = text === undefined ? 'true' : `it.innerText.trim() === ${JSON.stringify(text)}`;
    const found = `[...document.querySelectorAll(${JSON.stringify(selector)})].find((it) => ${isMeant})`;
    await this.#waitFor(`${found} !== undefined`);
    await this.evaluate(`${found}.click()`);
  }

  /** Types as a keyboard does. */
  async type(selector: string, text: string): Promise<void> {
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    await this.#waitFor(`${found} !== null`);
    await this.evaluate(`${found}.focus()`);
    await this.#send('Input.insertText', { text });
  }

  /** @returns what a script has as its value, when that is a promise what it resolves to; JSON */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = evaluationSchema.parse(answer);
    if (exceptionDetails) throw new Error(`${expression}: ${describeException(exceptionDetails)}`);
    return result.value;
  }

  async #waitFor(condition: string): Promise<void> {
    await waitUntil(condition, async () => (await this.evaluate(condition)) === true, WAIT_MS);
  }

  #send(method: string, params: object = {}): Promise<unknown> {
    return this.#devTools.send(method, params, this.#sessionId);
  }

  #note({ method, params }: DevToolsEvent): void {
    switch (method) {
      case 'Network.requestWillBeSent': {
        const { request } = requestSchema.parse(params);
        const headers = Object.entries(request.headers);
        this.requests.push({
          method: request.method,
          url: request.url,
          headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
        });
        break;
      }
      case 'Network.webSocketCreated':
        this.requests.push({ method: 'GET', headers: {}, ...socketSchema.parse(params) });
        break;
      case 'Runtime.exceptionThrown':
        this.complaints.push(describeException(thrownSchema.parse(params).exceptionDetails));
        break;
      case 'Runtime.consoleAPICalled': {
        const { type, args } = consoleSchema.parse(params);
        const isComplaint = ['error', 'warning', 'assert'].includes(type);
        if (isComplaint) this.complaints.push(`${type}: ${JSON.stringify(args)}`);
        break;
      }
      case 'Log.entryAdded': {
        const { level, source, text } = logSchema.parse(params).entry;
        const isComplaint = level === 'error' || level === 'warning';
        if (isComplaint) this.complaints.push(`${source}: ${text}`);
        break;
      }
      case 'Audits.issueAdded': {
        const { code } = issueSchema.parse(params).issue;
        if (code === 'ContentSecurityPolicyIssue') this.complaints.push(JSON.stringify(params));
        break;
      }
      default:
    }
  }
}

const exceptionSchema = z.object({
  text: z.string(),
  exception: z.object({ description: z.string().optional() }).optional(),
});
const evaluationSchema = z.object({
  result: z.object({ value: z.unknown().optional() }),
  exceptionDetails: exceptionSchema.optional(),
});
const thrownSchema = z.object({ exceptionDetails: exceptionSchema });
const requestSchema = z.object({
  request: z.object({
    method: z.string(),
    url: z.string(),
    headers: z.record(z.string(), z.string()),
  }),
});
const socketSchema = z.object({ url: z.string() });
const consoleSchema = z.object({ type: z.string(), args: z.array(z.unknown()) });
const logSchema = z.object({
  entry: z.object({ level: z.string(), source: z.string(), text: z.string() }),
});
const issueSchema = z.object({ issue: z.object({ code: z.string() }) });

function describeException({ text, exception }: z.infer<typeof exceptionSchema>): string {
  return exception?.description ?? text;
}
