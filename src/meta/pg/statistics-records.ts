import type {
  Batches,
  Part,
  StatisticsRecords,
  TeamStatistics,
} from '../records/catalog-records.ts';
import { TEAMS_BEHIND } from './catalog-statements.ts';
import type { Database } from './database.ts';
import type { Lists } from './lists.ts';

const OVERALL = {
  name: 'statistics',
  text: `with ${TEAMS_BEHIND}
         select (select count(*) from teams where team is not null)::int as teams,
                (select sum(size_bytes) from blobs)::float8 as storage`,
};

/** With the flag, signature tags are counted, and repositories that have no others. */
const countsOf = (team: string, flag: string) => `
  select count(*)::int as artifacts,
         coalesce(sum(r.listed_tags + case when ${flag} then r.signature_tags else 0 end), 0)::float8 as tags
  from repositories r where r.team = ${team} and (r.is_listed or (${flag} and r.signature_tags > 0))`;

const TEAM = { name: 'statistics-team', text: countsOf('$1', '$2::boolean') };
const TEAMS = {
  name: 'statistics-teams',
  text: `with ${TEAMS_BEHIND}
         select t.team, s.artifacts, s.tags from teams t, lateral (${countsOf('t.team', '$2::boolean')}) s
         where t.team is not null limit $3`,
};

interface CountsRow {
  artifacts: number;
  tags: number;
}

export class PgStatisticsRecords implements StatisticsRecords {
  readonly #database: Database;
  readonly #lists: Lists;

  constructor(database: Database, lists: Lists) {
    this.#database = database;
    this.#lists = lists;
  }

  async overall(): Promise<{ teams: number; storageBytes: number | undefined }> {
    const [row] = await this.#database.scan<{ teams: number; storage: number | null }>(OVERALL, [
      '',
    ]);
    return { teams: row?.teams ?? 0, storageBytes: row?.storage ?? undefined };
  }

  async team(team: string, hasSignatures: boolean): Promise<TeamStatistics> {
    const [row] = await this.#database.query<CountsRow>(TEAM, [team, hasSignatures]);
    return { team, artifacts: row?.artifacts ?? 0, tags: row?.tags ?? 0 };
  }

  listTeams(hasSignatures: boolean, { after = '', limit }: Part<string>): Batches<TeamStatistics> {
    return this.#lists.read<CountsRow & { team: string }>(TEAMS, [after, hasSignatures], limit);
  }
}
