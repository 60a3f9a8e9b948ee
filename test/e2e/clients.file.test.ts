import { describeClients } from './clients.ts';

const GIB = 1024 ** 3;

/** buildah sends a layer as podman does, with the same library. */
describeClients('a directory', { docker: GIB, podman: GIB, skopeo: GIB, ctr: GIB });
