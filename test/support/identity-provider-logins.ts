import { createHash, randomBytes, randomInt } from 'node:crypto';
import { json } from './identity-provider-answers.ts';
import type { ProviderAnswer } from './identity-provider-faults.ts';
import type { Principal } from './identity-provider-people.ts';
import { type ProviderRequest, urlOf } from './identity-provider-request.ts';

/*
 * How people log in with programs of theirs: RFC 8628 with a code that they enter elsewhere, or a browser that is sent back with a
 * code of RFC 7636. The person who sits at the browser is told beforehand.
 */

/** A program on people's machines, which can keep no secret. */
export const PUBLIC_CLIENT = 'pierone';
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

interface DeviceLogin {
  readonly userCode: string;
  state: 'pending' | 'denied' | 'expired' | Principal;
}

interface BrowserLogin {
  readonly principal: Principal;
  readonly challenge: string;
  readonly redirect: string;
}

export class Logins {
  readonly #devices = new Map<string, DeviceLogin>();
  readonly #browsers = new Map<string, BrowserLogin>();
  readonly #refreshable = new Map<string, Principal>();
  /** Who logs in when a browser asks. */
  #atBrowser: Principal | undefined;

  sitDown(principal: Principal | undefined): void {
    this.#atBrowser = principal;
  }

  /** The codes that programs show. */
  get waiting(): readonly string[] {
    return [...this.#devices.values()].map(({ userCode }) => userCode);
  }

  /** What somebody does with a code that a program shows. @throws Error for one that isn't waited for */
  enter(userCode: string, outcome: 'denied' | 'expired' | Principal): void {
    const login = [...this.#devices.values()].find((device) => device.userCode === userCode);
    if (!login) throw new Error(`nobody was shown the code ${userCode}`);
    login.state = outcome;
  }

  /** RFC 8628, section 3.2. */
  beginDevice({ body }: ProviderRequest, issuer: string): ProviderAnswer {
    if (new URLSearchParams(body).get('client_id') !== PUBLIC_CLIENT)
      return refusal('invalid_client');
    const userCode = `${randomInt(1000, 9999)}-${randomInt(1000, 9999)}`;
    const code = draw();
    this.#devices.set(code, { userCode, state: 'pending' });
    return json(200, {
      device_code: code,
      user_code: userCode,
      verification_uri: `${issuer}/device`,
      expires_in: 600,
      interval: 0.2,
    });
  }

  /** RFC 6749, section 4.1.1, and who is at the browser has logged in already. */
  authorize({ target }: ProviderRequest, issuer: string): ProviderAnswer {
    const query = urlOf(target).searchParams;
    const redirect = query.get('redirect_uri') ?? '';
    const isKnown =
      query.get('client_id') === PUBLIC_CLIENT && /^http:\/\/127\.0\.0\.1:\d+\//.test(redirect);
    if (!isKnown) return refusal('invalid_client');
    const challenge = query.get('code_challenge') ?? '';
    const isRight =
      query.get('response_type') === 'code' && query.get('code_challenge_method') === 'S256';
    const back = new URL(redirect);
    back.searchParams.set('state', query.get('state') ?? '');
    back.searchParams.set('iss', issuer);
    if (!isRight || challenge === '') back.searchParams.set('error', 'invalid_request');
    else if (!this.#atBrowser) {
      back.searchParams.set('error', 'access_denied');
      back.searchParams.set('error_description', 'the user pressed Cancel');
    } else {
      const code = draw();
      this.#browsers.set(code, { principal: this.#atBrowser, challenge, redirect });
      back.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: back.href }, body: '' };
  }

  /** @returns the code of the refusal when nobody has logged in; undefined for other grants */
  grant(form: URLSearchParams): Principal | string | undefined {
    switch (form.get('grant_type') ?? '') {
      case DEVICE_GRANT:
        return this.#grantDevice(form.get('device_code') ?? '');
      case 'authorization_code':
        return this.#grantBrowser(form);
      case 'refresh_token':
        return this.#grantRefresh(form.get('refresh_token') ?? '');
      default:
        return undefined;
    }
  }

  /** Good for one use. */
  issueRefreshToken(principal: Principal): string {
    const token = draw();
    this.#refreshable.set(token, principal);
    return token;
  }

  /** Nobody is logged in any more. */
  endSessions(): void {
    this.#refreshable.clear();
  }

  #grantDevice(code: string): Principal | string {
    const state = this.#devices.get(code)?.state ?? 'expired';
    if (state === 'pending') return 'authorization_pending';
    this.#devices.delete(code);
    if (state === 'denied') return 'access_denied';
    return state === 'expired' ? 'expired_token' : state;
  }

  #grantBrowser(form: URLSearchParams): Principal | string {
    const login = this.#browsers.get(form.get('code') ?? '');
    this.#browsers.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isRight = login?.challenge === challenge && login.redirect === form.get('redirect_uri');
    return isRight ? login.principal : 'invalid_grant';
  }

  #grantRefresh(token: string): Principal | string {
    const principal = this.#refreshable.get(token);
    this.#refreshable.delete(token);
    return principal ?? 'invalid_grant';
  }
}

function refusal(error: string): ProviderAnswer {
  return json(400, { error });
}

function draw(): string {
  return randomBytes(24).toString('base64url');
}
