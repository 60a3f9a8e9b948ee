import { randomBytes, randomInt } from 'node:crypto';

/** The head of what EC2 hands out: PKCS #7, signed data, of unknown length. */
const PKCS7_HEAD = Buffer.from(
  '308006092a864886f70d010702a0803080020101310b300906052b0e03021a0500308006092a864886f70d010701a0802480',
  'hex',
);
/** Certificate's name, algorithms and signature. */
const PKCS7_TAIL_BYTES = 280;
const LINE_LENGTH = 64;

export interface InstanceDocument {
  readonly accountId: string;
  readonly region: string;
  readonly instanceId: string;
  readonly imageId: string;
  readonly pendingTime: string;
}

/** Machines, which name themselves by a signed document. */
export class Instances {
  readonly #documents = new Map<string, InstanceDocument>();

  /** @returns the document in the form of EC2's metadata service: base64 in several lines */
  add(known: Partial<InstanceDocument> = {}): string {
    const document = { ...drawDocument(), ...known };
    const pkcs7 = encode(document);
    this.#documents.set(pkcs7, document);
    return pkcs7;
  }

  /** Looks like a known one, and isn't. */
  forge(): string {
    return encode(drawDocument());
  }

  /** Line breaks count: who verifies such a document puts it between two lines of PEM, as it is. */
  find(pkcs7: string): InstanceDocument | undefined {
    return this.#documents.get(pkcs7);
  }
}

function drawDocument(): InstanceDocument {
  return {
    accountId: String(randomInt(1e11, 1e12)),
    region: 'eu-central-1',
    instanceId: `i-${randomBytes(8).toString('hex')}`,
    imageId: `ami-${randomBytes(8).toString('hex')}`,
    pendingTime: new Date().toISOString(),
  };
}

function encode(document: InstanceDocument): string {
  const bytes = [PKCS7_HEAD, Buffer.from(JSON.stringify(document)), randomBytes(PKCS7_TAIL_BYTES)];
  const text = Buffer.concat(bytes).toString('base64');
  const lines = Math.ceil(text.length / LINE_LENGTH);
  return Array.from({ length: lines }, (_, line) =>
    text.slice(line * LINE_LENGTH, (line + 1) * LINE_LENGTH),
  ).join('\n');
}
