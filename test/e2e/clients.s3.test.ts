import { describeClients } from './clients.ts';

const GIB = 1024 ** 3;

/**
 * podman and buildah send a layer with skopeo's library. docker has another one, and compresses for most of the time: a quarter is
 * of several parts, too.
 */
describeClients('S3', { docker: GIB / 4, skopeo: GIB, ctr: GIB });
