import { z } from 'zod';
import { ConcurrencyLimit, NoRoom } from './concurrency-limit.ts';
import { type Identity, IdentityUnavailable, InvalidCredential } from './identity.ts';
import { requestJson } from './json-request.ts';
import { SharedLookup } from './shared-lookup.ts';
import { keyOf } from './token-key.ts';

const SETTING = 'HTTP_IIDINFO_URL';
const TIMEOUT_MS = 2000;
const MAX_DOCUMENT_BYTES = 8 * 1024;
const LIFETIME_MS = 2 * 60_000;
const REFUSED_LIFETIME_MS = 10_000;
const MAX_ENTRIES = 10_000;
/** Whoever makes documents up can't make the registry ask more at the same time. */
const LIMITS = { maxRunning: 64, maxWaiting: 256, maxWaitMs: TIMEOUT_MS };
const NO_SCOPES: ReadonlySet<string> = new Set();
/** All that is known of a machine unless the service says more. */
const UID = 'instance-identity-document';

const part = z
  .string()
  .regex(/^[\w-]{1,64}$/)
  .optional()
  .catch(undefined);
const instance = z.object({
  accountId: part,
  account_id: part,
  instanceId: part,
  instance_id: part,
});

export interface InstanceIdentityOptions {
  readonly url: URL;
  readonly maxEntries?: number;
  readonly now?: () => number;
}

/** Asks a service whether a machine's instance identity document is genuine. The document itself isn't read here. */
export class InstanceIdentityVerifier {
  readonly #url: URL;
  readonly #lookup: SharedLookup<Identity | InvalidCredential>;
  readonly #limit = new ConcurrencyLimit(LIMITS);

  constructor({ url, maxEntries = MAX_ENTRIES, now }: InstanceIdentityOptions) {
    this.#url = url;
    this.#lookup = new SharedLookup({
      maxEntries,
      lifetimeMs: (answer: Identity | InvalidCredential) =>
        answer instanceof InvalidCredential ? REFUSED_LIFETIME_MS : LIFETIME_MS,
      ...(now && { now }),
    });
  }

  /** @param document PKCS7, its newlines as they were given. @throws InvalidCredential; IdentityUnavailable */
  async verify(document: string): Promise<Identity> {
    if (document === '' || Buffer.byteLength(document) > MAX_DOCUMENT_BYTES) throw refusal();
    const key = keyOf(document);
    const answer = await this.#lookup.get(key, () => this.#askInTurn(document));
    if (answer instanceof InvalidCredential) throw answer;
    return answer;
  }

  #askInTurn(document: string): Promise<Identity | InvalidCredential> {
    return this.#limit
      .run(() => this.#ask(document))
      .catch((error: unknown) => {
        if (!(error instanceof NoRoom)) throw error;
        throw new IdentityUnavailable(SETTING, 'too many documents are being checked');
      });
  }

  async #ask(document: string): Promise<Identity | InvalidCredential> {
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ iid_signature: document }),
    };
    const { status, body } = await requestJson(SETTING, this.#url, request, TIMEOUT_MS);
    if (status === 200) {
      return { kind: 'instance', principal: { uid: uidOf(body) }, scopes: NO_SCOPES };
    }
    if (status >= 400 && status < 500) return refusal();
    throw new IdentityUnavailable(SETTING, `it answers with status ${status}`);
  }
}

/** `instance-identity-document/ACCOUNT/INSTANCE`, as far as the service tells: the uid of no person. */
function uidOf(body: unknown): string {
  const { data } = instance.safeParse(body);
  const account = data?.accountId ?? data?.account_id;
  const machine = data?.instanceId ?? data?.instance_id;
  return [UID, account, machine].filter((text) => text !== undefined).join('/');
}

function refusal(): InvalidCredential {
  return new InvalidCredential("the instance identity document isn't valid");
}
