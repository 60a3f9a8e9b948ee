import { leaksOf, percentEncoded } from './secrecy.ts';

/** Collects secrets, and all that was said, and says which of the secrets were. */
export class SecretSearch {
  readonly #secrets = new Map<string, string>();
  readonly #said = new Map<string, string[]>();

  /** @returns the secret */
  add(name: string, secret: string): string {
    this.#secrets.set(name, secret);
    return secret;
  }

  /** A JWT: each of its parts is a secret too, but for its header, which is no secret. */
  addJwt(name: string, jwt: string): string {
    const [, payload = '', signature = ''] = jwt.split('.');
    this.add(`${name}: payload`, payload);
    if (signature !== '') this.add(`${name}: signature`, signature);
    return this.add(name, jwt);
  }

  /** A text in several lines: the last ones are secrets each. (Others say what it is.) */
  addLines(name: string, text: string): string {
    for (const [n, line] of text.split('\n').slice(-3).entries()) this.add(`${name}: ${n}`, line);
    return this.add(name, text);
  }

  hear(where: string, ...texts: readonly string[]): void {
    this.#said.set(where, [...(this.#said.get(where) ?? []), ...texts]);
  }

  /** How much was said, by place. */
  get heardBytes(): Readonly<Record<string, number>> {
    const sizes = [...this.#said].map(([where, texts]) => [where, texts.join('').length] as const);
    return Object.fromEntries(sizes);
  }

  /** `where: secret (form)`, each once. */
  found(): string[] {
    const found = [...this.#said].flatMap(([where, texts]) => {
      const said = texts.join('\n');
      return [...this.#secrets].flatMap(([name, secret]) =>
        // Credentials are encoded in other ones: a percent-encoded one in base64, for one.
        [secret, ...percentEncoded(secret)]
          .flatMap((form) => leaksOf(form, said))
          .map((form) => `${where}: ${name} (${form})`),
      );
    });
    return [...new Set(found)];
  }
}
