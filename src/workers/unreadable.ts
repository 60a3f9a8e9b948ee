/** A blob is damaged, or more than may be read of it. The message completes the sentence "it can't be read: …". */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}
