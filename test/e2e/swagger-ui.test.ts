import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BrowserPage } from '../support/browser-page.ts';
import { startChromium } from '../support/chromium.ts';
import { HttpClient } from '../support/http-client.ts';
import {
  expectStatus,
  imageOf,
  pushBlob,
  putManifest,
  sampleOf,
} from '../support/sample-content.ts';
import { startServerIn } from '../support/server-in-workspace.ts';
import { waitUntil } from '../support/wait-until.ts';
import { createWorkspace, type Workspace } from '../support/workspace.ts';

/** Swagger UI asks others less when it is local. */
const HOST = 'registry.test';
const TEAM = 'browsers';

let workspace: Workspace;
let origin: string;
let page: BrowserPage;

beforeEach(async () => {
  workspace = await createWorkspace();
  const server = await startServerIn(workspace);
  const api = new HttpClient(server.url);
  const config = sampleOf(Buffer.from('{}'));
  await pushBlob(api, `${TEAM}/app`, config);
  await expectStatus(putManifest(api, `${TEAM}/app`, '1.0', imageOf(config)), 201);
  origin = `http://${HOST}:${new URL(server.url).port}`;
  const chromium = await startChromium(workspace, HOST);
  page = await chromium.openPage();
});

afterEach(() => workspace?.dispose());

const GET_TEAMS = '#operations-Pier_One_API-listTeams';

/** Opens the operation and sends it. @returns status and body as they are shown */
async function tryTeams(): Promise<{ status: string; body: string }> {
  await page.click(`${GET_TEAMS} .opblock-summary-control`);
  await page.click(`${GET_TEAMS} button`, 'Try it out');
  await page.click(`${GET_TEAMS} button`, 'Execute');
  const live = `${GET_TEAMS} .live-responses-table .response`;
  const [status = ''] = await page.texts(`${live} .response-col_status`);
  const [body = ''] = await page.texts(`${live} .response-col_description code`);
  return { status, body };
}

/** What the browser tells comes by itself, not with the answer to what was evaluated. */
async function untilComplained(what: string): Promise<void> {
  await waitUntil(`a complaint of ${what}`, () => page.complaints.join('\n').includes(what));
}

describe('Swagger UI in a browser', () => {
  test('lists the API and tries GET /teams out, without any other host and any complaint', async () => {
    await page.goTo(`${origin}/`);
    const operations = await page.texts('.opblock-summary-path');
    expect(operations.map((text) => text.replaceAll('\u200b', ''))).toEqual(
      expect.arrayContaining(['/teams', '/teams/{team}/artifacts/{artifact}/tags', '/events']),
    );
    expect(await page.evaluate('location.pathname')).toBe('/ui/');
    expect(await page.evaluate('document.title')).toBe('Pier One API');

    const { status, body } = await tryTeams();
    expect(status).toBe('200');
    expect(JSON.parse(body)).toEqual([TEAM]);
    expect(page.complaints).toEqual([]);
    const elsewhere = page.requests.filter(({ url }) => !/^(data|blob):/.test(url));
    expect(new Set(elsewhere.map(({ url }) => new URL(url).origin))).toEqual(new Set([origin]));
    const paths = elsewhere.map(({ url }) => new URL(url).pathname);
    expect(paths).toEqual(expect.arrayContaining(['/ui/', '/openapi.json', '/teams']));
  });

  test('sends the token that was entered under "Authorize", and nothing before', async () => {
    await page.goTo(`${origin}/ui/`);
    await page.click('.auth-wrapper .btn.authorize');
    await page.type('.auth-container input#auth-bearer-value', 'a-token');
    await page.click('.auth-container button', 'Authorize');
    await page.click('.auth-btn-wrapper button', 'Close');
    const before = page.requests.length;
    await tryTeams();
    const authorizations = page.requests.map(({ headers }) => headers['authorization']);
    expect(authorizations.slice(0, before).filter(Boolean)).toEqual([]);
    expect(authorizations.slice(before)).toEqual(['Bearer a-token']);
  });

  test('runs no script that was put into the page, and asks no other host for anything', async () => {
    await page.goTo(`${origin}/ui/`);
    await page.texts('.opblock-summary-path');
    await page.evaluate(`document.body.append(Object.assign(document.createElement('script'), {
      textContent: 'globalThis.isHarmed = true',
    }))`);
    expect(await page.evaluate('globalThis.isHarmed === undefined')).toBe(true);
    await untilComplained('script-src');
    const other = `fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'refused')`;
    expect(await page.evaluate(other)).toBe('refused');
    await untilComplained('connect-src');
  });
});
