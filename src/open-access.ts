import { readFile } from 'node:fs/promises';
import { Access } from './auth/access.ts';
import { InstanceIdentityVerifier } from './auth/instance-identity.ts';
import type { TokenVerifier } from './auth/identity.ts';
import { IntrospectionVerifier } from './auth/introspection.ts';
import { KioSource } from './auth/kio.ts';
import { LoginLimiter } from './auth/login-limiter.ts';
import { OpenIdVerifier } from './auth/openid.ts';
import { RegistryTokens } from './auth/registry-token.ts';
import { TeamServiceSource } from './auth/team-service.ts';
import { Teams } from './auth/teams.ts';
import { TeamsFile } from './auth/teams-file.ts';
import { TokenCheck } from './auth/token-check.ts';
import { TokeninfoVerifier } from './auth/tokeninfo.ts';
import type { AccessConfig } from './config-access.ts';
import type { Log } from './log.ts';
import type { MetadataStore } from './meta/metadata-store.ts';

