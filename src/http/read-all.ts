import type { ByteSource } from '../oci/byte-source.ts';

/** How every transport keeps the promise of RequestBody.readAll. */
export async function readAll(
  body: ByteSource,
  maxBytes: number,
): Promise<Uint8Array | 'too-large' | 'cut'> {
  if ((body.announcedBytes ?? 0) > maxBytes) return 'too-large';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let tellTooLarge = () => {};
  const tooLarge = new Promise<'too-large'>((resolve) => {
    tellTooLarge = () => resolve('too-large');
  });
  const delivered = body.deliverTo((chunk) => {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk.slice());
    else tellTooLarge();
  });
  const end = await Promise.race([tooLarge, delivered]);
  return end === 'complete' ? Buffer.concat(chunks) : end;
}
