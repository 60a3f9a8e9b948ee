/** Reads JSON that was made by somebody else: every step says what it expects. */
export class JsonValue {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path = '$') {
    this.#value = value;
    this.#path = path;
  }

  static parse(text: string): JsonValue {
    return new JsonValue(JSON.parse(text));
  }

  /** The member of an object, or the item of an array. */
  at(...steps: readonly (string | number)[]): JsonValue {
    return steps.reduce<JsonValue>((value, step) => value.#step(step), this);
  }

  get items(): JsonValue[] {
    if (!Array.isArray(this.#value)) throw this.#unexpected('an array');
    return this.#value.map((item, index) => new JsonValue(item, `${this.#path}.${index}`));
  }

  /** The members of an object that are texts. */
  get record(): Record<string, string> {
    if (typeof this.#value !== 'object' || this.#value === null)
      throw this.#unexpected('an object');
    return Object.fromEntries(Object.keys(this.#value).map((name) => [name, this.at(name).text]));
  }

  get text(): string {
    if (typeof this.#value !== 'string') throw this.#unexpected('a text');
    return this.#value;
  }

  get textOrNull(): string | null {
    return this.#value === null ? null : this.text;
  }

  get texts(): string[] {
    return this.items.map((item) => item.text);
  }

  #step(step: string | number): JsonValue {
    if (typeof this.#value !== 'object' || this.#value === null)
      throw this.#unexpected('an object');
    const value: unknown = Object.entries(this.#value).find(([name]) => name === String(step))?.[1];
    return new JsonValue(value, `${this.#path}.${step}`);
  }

  #unexpected(wanted: string): Error {
    return new Error(`${this.#path} isn't ${wanted} but ${JSON.stringify(this.#value)}`);
  }
}
