import type { Principal } from '../oci/principal.ts';
import type { RepositoryName } from '../oci/repository-name.ts';

/** A request that changes an upload. */
export interface UploadRequest {
  readonly repository: RepositoryName;
  readonly id: string;
  readonly principal: Principal;
  /** Tells that the client has gone. */
  readonly signal: AbortSignal;
}
