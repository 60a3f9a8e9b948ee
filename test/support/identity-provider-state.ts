import type { Instances } from './identity-provider-instances.ts';
import type { SigningKeys } from './identity-provider-keys.ts';
import type { Logins } from './identity-provider-logins.ts';
import type { People } from './identity-provider-people.ts';
import type { OpaqueTokens } from './identity-provider-tokens.ts';

export interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

/** All that the provider knows. */
export interface ProviderState {
  readonly issuer: string;
  readonly audience: string;
  /** Who may ask about tokens. */
  readonly client: ClientCredentials;
  readonly people: People;
  readonly tokens: OpaqueTokens;
  readonly keys: SigningKeys;
  readonly instances: Instances;
  readonly logins: Logins;
}
