import { listenNode } from '../../src/http/node-transport.ts';
import { describeTransport } from './transport.ts';

describeTransport('node:http', listenNode);
