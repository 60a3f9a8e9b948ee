import { readFile, stat } from 'node:fs/promises';
import type { Log } from '../log.ts';
import type { Identity } from './identity.ts';
import type { TeamSource } from './team-source.ts';
import {
  parseTeams,
  principalKey,
  type TeamsByPrincipal,
  TeamsFileError,
} from './teams-file-content.ts';

const LOOK_MS = 3000;
const MAX_BYTES = 1024 * 1024;

/** Knows the teams of those that a file names. It is read again when it changes. */
export class TeamsFile implements TeamSource {
  readonly #file: string;
  readonly #log: Log;
  readonly #lookMs: number;
  #text: string;
  #teams: TeamsByPrincipal;
  #complaint = '';
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(file: string, text: string, log: Log, lookMs: number) {
    this.#file = file;
    this.#log = log;
    this.#lookMs = lookMs;
    this.#text = text;
    this.#teams = parseTeams(file, text);
  }

  /** @throws TeamsFileError that says everything that is wrong with it */
  static async open(file: string, log: Log, lookMs = LOOK_MS): Promise<TeamsFile> {
    const teams = new TeamsFile(file, await readBounded(file), log, lookMs);
    teams.#lookLater();
    return teams;
  }

  /** @returns undefined for those that the file doesn't name */
  async teamsOf({ principal }: Identity): Promise<ReadonlySet<string> | undefined> {
    return this.#teams.get(principalKey(principal));
  }

  /** The file isn't looked at any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(
      () => void this.#look().finally(() => this.#lookLater()),
      this.#lookMs,
    );
    this.#timer.unref();
  }

  /**
   * Compares what it holds: times and numbers of files don't tell each change, of links and network file systems least.
   * A file that is half written is right at a later look.
   */
  async #look(): Promise<void> {
    try {
      const text = await readBounded(this.#file);
      if (this.#isClosed) return;
      if (text !== this.#text) this.#replace(text);
      else if (this.#complaint !== '') this.#logUse();
      this.#complaint = '';
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason === this.#complaint || this.#isClosed) return;
      this.#complaint = reason;
      this.#log.error(
        { reason },
        'the file of teams cannot be used; what it said before stays in force',
      );
    }
  }

  #replace(text: string): void {
    this.#teams = parseTeams(this.#file, text);
    this.#text = text;
    this.#logUse();
  }

  #logUse(): void {
    const { size } = this.#teams;
    this.#log.info(
      { file: this.#file, principals: size },
      'what the file of teams says now is in force',
    );
  }
}

/** @throws TeamsFileError */
async function readBounded(file: string): Promise<string> {
  try {
    // Before it is opened: a pipe would wait for its writer.
    const found = await stat(file);
    if (!found.isFile()) throw new TeamsFileError(file, ['it is no regular file']);
    if (found.size > MAX_BYTES) {
      throw new TeamsFileError(file, [`it has more than ${MAX_BYTES} bytes`]);
    }
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof TeamsFileError) throw cause;
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new TeamsFileError(file, [`it can't be read (${reason})`], { cause });
  }
}
