import { describeSlowClients } from './slow-clients.ts';

describeSlowClients('node');
