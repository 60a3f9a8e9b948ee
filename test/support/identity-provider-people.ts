import { createHash } from 'node:crypto';

/** Who may have tokens, as an organisation knows them. */

export interface Employee {
  readonly uid: string;
  readonly teams: readonly string[];
  /** For the password grant. */
  readonly password?: string;
}

export interface Service {
  readonly uid: string;
  /** The id of its application in Kio. Unless said, what follows the last `_` of the uid. */
  readonly app?: string;
  /** Which the application belongs to; without it Kio doesn't know the application. */
  readonly team?: string;
  /** What it may ask for, and what its tokens have unless said. */
  readonly scopes?: readonly string[];
  /** Of the application in Kio; true unless said. */
  readonly isActive?: boolean;
  /** For the client credentials grant, with the uid as the client's id. */
  readonly secret?: string;
  /** For the password grant. */
  readonly password?: string;
}

/** A person or service as its tokens describe it. */
export interface Principal {
  readonly uid: string;
  readonly realm: '/employees' | '/services';
  readonly scopes: readonly string[];
}

/** An application as Kio describes it. */
export interface Application {
  readonly id: string;
  readonly team_id: string;
  readonly name: string;
  readonly active: boolean;
}

/** A team as the team service describes it: the account that it has. */
export interface TeamAccount {
  readonly id: string;
  readonly name: string;
  readonly type: 'aws';
  readonly description: string;
  readonly disabled: boolean;
}

const EMPLOYEE_SCOPES = ['uid'];

export class People {
  readonly #employees = new Map<string, Employee>();
  readonly #services = new Map<string, Service>();

  /** Also changes one that is known: tokens stay. */
  addEmployee(employee: Employee): void {
    this.#employees.set(employee.uid, employee);
  }

  addService(service: Service): void {
    this.#services.set(service.uid, service);
  }

  /** @throws Error for an unknown uid: the test has forgotten to add it */
  principal(uid: string): Principal {
    if (this.#employees.has(uid)) return { uid, realm: '/employees', scopes: EMPLOYEE_SCOPES };
    const service = this.#services.get(uid);
    if (!service) throw new Error(`nobody is named ${uid}: add an employee or a service`);
    return { uid, realm: '/services', scopes: service.scopes ?? ['uid'] };
  }

  /** Of a person or service; none for an unknown one. */
  teamsOf(uid: string): TeamAccount[] {
    const team = this.#services.get(uid)?.team;
    const names = this.#employees.get(uid)?.teams ?? (team === undefined ? [] : [team]);
    return names.map(accountOf);
  }

  application(id: string): Application | undefined {
    const service = [...this.#services.values()].find((one) => applicationOf(one) === id);
    if (service?.team === undefined) return undefined;
    return { id, team_id: service.team, name: id, active: service.isActive ?? true };
  }

  hasPassword(uid: string, password: string): boolean {
    const known = this.#employees.get(uid) ?? this.#services.get(uid);
    return known?.password === password;
  }

  hasSecret(uid: string, secret: string): boolean {
    return this.#services.get(uid)?.secret === secret;
  }
}

function applicationOf({ app, uid }: Service): string {
  return app ?? uid.slice(uid.lastIndexOf('_') + 1);
}

function accountOf(name: string): TeamAccount {
  return {
    // Twelve digits, always the same for a name.
    id: (BigInt(`0x${createHash('sha256').update(name).digest('hex')}`) % 10n ** 12n)
      .toString()
      .padStart(12, '0'),
    name,
    type: 'aws',
    description: `Account of the team ${name}`,
    disabled: false,
  };
}
