import type { ConfigFile } from './config-file.ts';
import type { Environment } from './environment.ts';

/** What all commands can be told: by an option, by PIERONE_NAME, or by the configuration file, in this order. */
export class Settings {
  readonly #flags: Readonly<Record<string, unknown>>;
  readonly #environment: Environment;
  readonly configFile: ConfigFile;

  constructor(
    flags: Readonly<Record<string, unknown>>,
    environment: Environment,
    configFile: ConfigFile,
  ) {
    this.#flags = flags;
    this.#environment = environment;
    this.configFile = configFile;
  }

  /** @param name as the file has it: `ca_file` is also --ca-file and PIERONE_CA_FILE */
  get(name: string): string | undefined {
    const variable = this.#environment[`PIERONE_${name.toUpperCase()}`];
    return this.flag(name) ?? (variable || undefined) ?? this.configFile.values[name];
  }

  /** What the option alone says. */
  flag(name: string): string | undefined {
    const value = this.#flags[name.replaceAll(/_(\w)/g, (_, letter) => letter.toUpperCase())];
    return typeof value === 'string' ? value : undefined;
  }
}
