import { describeClients } from './clients.ts';

const GIB = 1024 ** 3;

describeClients('a directory', { docker: GIB, podman: GIB, buildah: GIB, skopeo: GIB, ctr: GIB });
