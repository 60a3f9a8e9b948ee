/** In which of the forms in which a credential travels it can be found in what was said, errors with all that they hold. */
export function leaksOf(secret: string, said: unknown): string[] {
  const strings = stringsIn(said);
  return formsOf(secret)
    .filter(([, form]) => strings.some((text) => text.includes(form)))
    .map(([name]) => name);
}

/** As a URL's path has it, and as its query and forms do, which encode more. */
export function percentEncoded(secret: string): string[] {
  const forms = [
    encodeURIComponent(secret),
    new URLSearchParams([['', secret]]).toString().slice('='.length),
  ];
  const lowerCase = forms.map((form) => form.replaceAll(/%../g, (code) => code.toLowerCase()));
  return [...new Set([...forms, ...lowerCase])];
}

function formsOf(secret: string): [name: string, form: string][] {
  const forms: [string, string][] = [
    ['plain', secret],
    ...percentEncoded(secret).map((form): [string, string] => ['percent-encoded', form]),
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
  ];
  for (const encoding of ['base64', 'base64url'] as const) {
    for (const before of [0, 1, 2]) forms.push([encoding, encoded(secret, before, encoding)]);
  }
  return forms;
}

/** What all base64 of texts has in common that hold the secret behind so many bytes, or three more, or six … */
function encoded(secret: string, before: number, encoding: 'base64' | 'base64url'): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
  return bytes
    .toString(encoding)
    .slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

/** Every string that can be reached, names of properties as well. */
function stringsIn(value: unknown, seen = new Set<object>()): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  return Reflect.ownKeys(value).flatMap((key) => [
    String(key),
    ...stringsIn(Reflect.get(value, key), seen),
  ]);
}
