import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreePorts } from './free-ports.ts';
import { type BackgroundProcess, run, startInBackground } from './process-runner.ts';
import { waitUntil } from './wait-until.ts';

const ACCESS_KEY = 'pierone-test';
const SECRET_KEY = 'pierone-test-secret';
const READY_TIMEOUT_MS = 180_000;
const GIB = 1024 ** 3;

export interface RgwOptions {
  /** Where Ceph keeps the bytes; in memory unless said otherwise. */
  readonly store?: 'memory' | 'disk';
  /** It never holds more; a disk's file is sparse. */
  readonly sizeBytes?: number;
  /** Its data lie in a new folder in there; the system's temporary one unless said otherwise. */
  readonly parentDirectory?: string;
}

/** How clients get at it. Any region's name will do. */
export interface RgwAddress {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

/**
 * An S3 server of a test's own: Ceph's RGW with one monitor and one OSD, on free ports of 127.0.0.1. Stop it in a hook;
 * its processes end with the one that started it, whatever that dies of.
 */
export interface TestRgw extends RgwAddress {
  /** Of what runs. */
  readonly pids: () => readonly number[];
  /** The process that speaks S3: without it S3 is gone, and its data stay. */
  readonly gateway: RgwGateway;
  /** Ends all and removes the data. */
  stop(): Promise<void>;
}

export interface RgwGateway {
  /** It answers what it has begun. */
  stop(): Promise<void>;
  /** SIGKILL: connections break. */
  kill(): Promise<void>;
  /** Brings it up again, at the same endpoint. */
  start(): Promise<void>;
}

interface Cluster {
  readonly directory: string;
  readonly store: 'memory' | 'disk';
  readonly sizeBytes: number;
  readonly monitorPort: number;
  readonly gatewayPort: number;
}

export async function startRgw(options: RgwOptions = {}): Promise<TestRgw> {
  const { store = 'memory', sizeBytes = 8 * GIB, parentDirectory = tmpdir() } = options;
  const directory = await mkdtemp(join(parentDirectory, 'pierone-rgw-'));
  const [monitorPort = 0, gatewayPort = 0] = await findFreePorts(2);
  const cluster = { directory, store, sizeBytes, monitorPort, gatewayPort };
  const daemons = new Set<BackgroundProcess>();
  const stop = async () => {
    await Promise.all([...daemons].map(killDaemon));
    await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    await startCluster(cluster, daemons);
    const gateway = controlGateway(cluster, daemons);
    await gateway.start();
    const pids = () => [...daemons].map(({ pid }) => pid);
    const endpoint = endpointOf(cluster);
    return { endpoint, accessKey: ACCESS_KEY, secretKey: SECRET_KEY, pids, gateway, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Monitor, OSD, and the user whom the keys belong to. */
async function startCluster(cluster: Cluster, daemons: Set<BackgroundProcess>): Promise<void> {
  const { directory, monitorPort } = cluster;
  const clusterId = randomUUID();
  await Promise.all(
    ['monitor', 'osd', 'gateway'].map((name) => mkdir(join(directory, name), { recursive: true })),
  );
  await writeFile(configurationFile(cluster), configure(cluster, clusterId));
  const ceph = (command: string, ...args: string[]) =>
    run(command, args, { env: environment(cluster) });
  const monitorMap = join(directory, 'monitor-map');
  const address = `[v2:127.0.0.1:${monitorPort}]`;
  await ceph('monmaptool', '--create', '--fsid', clusterId, '--addv', 'a', address, monitorMap);
  await ceph('ceph-mon', '--mkfs', '-i', 'a', '--monmap', monitorMap);
  daemons.add(startDaemon(cluster, 'ceph-mon', ['-i', 'a']));
  const osdId = randomUUID();
  await Promise.all([
    ceph('ceph', 'osd', 'new', osdId),
    ceph('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osdId, '--no-mon-config'),
  ]);
  daemons.add(startDaemon(cluster, 'ceph-osd', ['-i', '0']));
  const keys = ['--access-key', ACCESS_KEY, '--secret-key', SECRET_KEY];
  const user = ['--uid', 'test', '--display-name', 'test'];
  await ceph('radosgw-admin', 'user', 'create', '-n', 'client.rgw', ...user, ...keys);
}

function controlGateway(cluster: Cluster, daemons: Set<BackgroundProcess>): RgwGateway {
  let gateway: BackgroundProcess | undefined;
  const endWith = async (end: (daemon: BackgroundProcess) => Promise<void>) => {
    if (!gateway) return;
    await end(gateway);
    daemons.delete(gateway);
    gateway = undefined;
  };
  return {
    stop: () => endWith((daemon) => daemon.end()),
    kill: () => endWith(killDaemon),
    start: async () => {
      if (gateway) return;
      const started = startDaemon(cluster, 'radosgw', ['-n', 'client.rgw']);
      gateway = started;
      daemons.add(started);
      await waitUntil('radosgw', () => isReady(started, endpointOf(cluster)), READY_TIMEOUT_MS);
    },
  };
}

async function isReady(gateway: BackgroundProcess, endpoint: string): Promise<boolean> {
  if (!gateway.isRunning()) throw new Error(`radosgw ended:\n${gateway.screen()}`);
  return fetch(endpoint).then(
    async (response) => {
      await response.arrayBuffer();
      return response.ok;
    },
    () => false,
  );
}

/** The kernel ends it when the process that called this dies, also by SIGKILL. */
function startDaemon(cluster: Cluster, command: string, args: string[]): BackgroundProcess {
  const all = ['--pdeathsig', 'KILL', command, '-f', ...args];
  return startInBackground('setpriv', all, { env: environment(cluster) });
}

async function killDaemon(daemon: BackgroundProcess): Promise<void> {
  if (daemon.isRunning()) process.kill(daemon.pid, 'SIGKILL');
  await daemon.end();
}

function endpointOf({ gatewayPort }: Cluster): string {
  return `http://127.0.0.1:${gatewayPort}`;
}

function environment(cluster: Cluster): Record<string, string> {
  return { CEPH_CONF: configurationFile(cluster), CEPH_ARGS: '' };
}

function configurationFile({ directory }: Cluster): string {
  return join(directory, 'ceph.conf');
}

function configure(cluster: Cluster, clusterId: string): string {
  const { directory, store, sizeBytes, monitorPort, gatewayPort } = cluster;
  return `[global]
fsid = ${clusterId}
mon_host = [v2:127.0.0.1:${monitorPort}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
# Nobody but this machine can reach it; radosgw must be told that nothing is encrypted then.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_mon_client_mode = crc secure
run_dir = ${directory}
admin_socket =
log_to_file = false
debug_default = 0
# One OSD holds the only copy.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_initial_weight = 1
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
mon_data_avail_warn = 1
mon_data_avail_crit = 0
mon_data = ${directory}/monitor
# A lone monitor has nobody to wait for.
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
osd_data = ${directory}/osd
osd_objectstore = ${store === 'memory' ? 'memstore' : 'bluestore'}
osd_class_update_on_start = false
osd_memory_target = 939524096
osd_op_queue = wpq
memstore_device_bytes = ${sizeBytes}
bluestore_block_size = ${sizeBytes}
[client]
rgw_data = ${directory}/gateway
rgw_frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw_rados_pool_pg_num_min = 4
rgw_thread_pool_size = 128
rgw_dynamic_resharding = false
rgw_enable_usage_log = false
# What was deleted gives its room back soon.
rgw_gc_obj_min_wait = 2
rgw_gc_processor_period = 2
`;
}
